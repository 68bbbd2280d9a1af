"""Write the pages of games and the list of configs, from what games and configs declare: part of `make docs`."""

from pathlib import Path

from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.trainers.cli.pages import game_page
from lawgiver.trainers.runs.packaged_configs import config_names, config_title

DOCS = Path(__file__).parent
GAME_LIST = """# Games

The id of a game in Gymnasium and PettingZoo is `lawgiver/` and its name. `lawgiver games NAME` prints the page of one:
spaces, units, rewards, parameters, and what is known exactly.

| name | game | source |
| --- | --- | --- |
"""
CONFIG_LIST = """# Configs

A config is a YAML file with the keys `game`, `agents`, `trainer`, `resources`, `seed` (or `seeds`) and `run_dir`. A
packaged one is named without its ending, one of your own by its path. Any value is
[overridden](command_line.md#overrides) by its full path. The first line of a config says what it is:

| config | experiment |
| --- | --- |
"""


def game_list() -> str:
    """Write the list of the installed games, one line per game."""
    rows = []
    for name in names(GAMES):
        game = lookup(GAMES, name)
        title = game.__doc__.strip().partition("\n")[0]
        rows.append(f"| [`{name}`]({name}.md) | {title} | {game.reference} |\n")
    return GAME_LIST + "".join(rows)


def config_list() -> str:
    """Write the list of the packaged configs, one line per config."""
    rows = [f"| [`{name}`](../../configs/{name}.yaml) | {config_title(name)} |\n" for name in config_names()]
    return CONFIG_LIST + "".join(rows)


def pages() -> dict[str, str]:
    """Write every generated page, by its path in docs/."""
    lists = {"games/index.md": game_list(), "reference/configs.md": config_list()}
    return lists | {f"games/{name}.md": game_page(name) for name in names(GAMES)}


def main() -> None:
    """Write the pages into docs/."""
    for name, page in pages().items():
        (DOCS / name).write_text(page)
        print(name)


if __name__ == "__main__":
    main()
