"""Write one page per game and the list of games into docs/games, from what games declare: part of `make docs`."""

from pathlib import Path

from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.trainers.cli.pages import game_page

FOLDER = Path(__file__).parent / "games"
LIST = """# Games

The id of a game in Gymnasium and PettingZoo is `lawgiver/` and its name. `lawgiver games NAME` prints the page of one:
spaces, units, rewards, parameters, and what is known exactly.

| name | game | source |
| --- | --- | --- |
"""


def index_page() -> str:
    """Write the list of the installed games, one line per game."""
    rows = []
    for name in names(GAMES):
        game = lookup(GAMES, name)
        title = game.__doc__.strip().partition("\n")[0]
        rows.append(f"| [`{name}`]({name}.md) | {title} | {game.reference} |\n")
    return LIST + "".join(rows)


def main() -> None:
    """Write the pages of the installed games."""
    FOLDER.mkdir(exist_ok=True)
    pages = {"index": index_page()} | {name: game_page(name) for name in names(GAMES)}
    for name, page in pages.items():
        (FOLDER / f"{name}.md").write_text(page)
        print(f"{FOLDER.name}/{name}.md")


if __name__ == "__main__":
    main()
