"""Write one page a game into docs/games, from what the games declare about themselves: `make docs`."""

from pathlib import Path

from lawgiver.envs.core.registry import GAMES, names
from lawgiver.trainers.cli.pages import game_page

FOLDER = Path(__file__).parent / "games"


def main() -> None:
    """Write the pages of the installed games."""
    FOLDER.mkdir(exist_ok=True)
    for name in names(GAMES):
        (FOLDER / f"{name}.md").write_text(game_page(name))
        print(f"{FOLDER.name}/{name}.md")


if __name__ == "__main__":
    main()
