"""Write the pages of games and the list of configs, from what games and configs declare: part of `make docs`."""

from pathlib import Path

from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.trainers.cli.pages import game_page
from lawgiver.trainers.people.forecast import QUESTION_S, WORDS_PER_MIN
from lawgiver.trainers.people.new import STUDY, TEMPLATE
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

STUDY_PAGE = """# Studies

A study with real people is a YAML file with its texts beside it. `lawgiver experiment new FILE` writes the one below,
and `lawgiver experiment check FILE` checks every key, plays it with programs, and prints what it costs and how long
it takes. An unknown key is an error. `practice`, `quiz`, `time`, `dropout` and `valid`, or keys of them, can be left
out and have the values shown then; amounts of `pay` are 0 then, `cap` and `minimum_wage` none.

```yaml
{template}```

A mechanism, and likewise `others`, `autoplay` and `practice.mechanism`, is a registered name, `{{policy: NAME, ...}}`
with parameters, or the folder of a run or a saved policy. Paths are relative to the file's folder, or absolute.

What a database has been begun with may not change: everything but `database`, `groups` and `texts.contact`, the texts
and the weights of learned mechanisms included, goes into the study's hash, and a database with another hash is
refused.

## Database

`database` is a SQLite file, or one of PostgreSQL (extra `postgres`) by its address,
`postgresql+pg8000://USER:PASSWORD@HOST/DATABASE`, with special characters of the password written as `%2F` and the
like. One server at a time writes to a database; a second one is refused. Nobody is answered before what they did is
on disk, so that a server that is killed goes on where it was.

## Bots

```sh
lawgiver experiment bots study.yaml --groups 100 --think 5
```

serves a copy of the study to 400 programs, from a database that is thrown away, and prints how many groups ended, how
fast answers came, and what the server took of the processor. They take the seats of people as `autoplay` does, or
another policy (`--people`); `--vanish 0.1` lets a tenth of them close the page in the middle of a game, so that the
others wait for them as long as for people. With `--at http://127.0.0.1:8000` they go to a server that runs on this
machine, which then stores what they do.

## Texts

`consent` and `thanks` are Markdown files with paragraphs, headings, lists, emphasis and links to https; anything else
is shown as the text that it is. While a text or completion code has the word PLACEHOLDER in it, the study is served
on this machine alone.

## Questions at the end

A question with `scale` is answered by a number, one with `choices` by one of these (in tables by their numbers, from
0), one with neither by any text. One question may have `instructed`, the answer that its text asks for: it shows who
reads. [Tables](study_tables.md#people) have the column `attentive` then, and `study.json` counts who was not. Nobody is
paid less for it, and no group is left out: report who you leave out of the analysis by it.

## Pay

| end | fixed | bonus | for waiting |
| --- | --- | --- | --- |
| `done` | `show_up` | for points; if the group ended early, points x rounds planned / rounds played | |
| `broken` (a fault of ours) | `show_up` | likewise | |
| `left` | | for points, as they are | |
| `no_group`; `full`, if one has waited | | | `waiting_per_min` x minutes, one at least |
| `failed_quiz`, `declined` | | | |

The bonus is the smaller of `cap` and `per_point` x points, never below 0. Points are the rewards of all games; rounds
in which a program decided for somebody are not counted for them. Amounts are rounded to the cent, halves up.

## What `check` reckons with

Programs (`autoplay`) play a thousand groups, spread over conditions, orders and seats; votes are for the game in
which one has earned most. The quantiles are those of the cost of whole studies. Times assume that people read {words}
words a minute, take {question} s for a question, half of each deadline, and wait half as long as until they may
leave. It warns if the median person is paid less than `minimum_wage` an hour, of questions that take any text, and of
placeholders.
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


def study_page() -> str:
    """Write the page of a study's settings, around the study that a new one begins with."""
    template = (TEMPLATE / STUDY).read_text(encoding="utf-8")
    return STUDY_PAGE.format(template=template, words=WORDS_PER_MIN, question=QUESTION_S)


def pages() -> dict[str, str]:
    """Write every generated page, by its path in docs/."""
    lists = {"games/index.md": game_list(), "reference/configs.md": config_list(), "reference/study.md": study_page()}
    return lists | {f"games/{name}.md": game_page(name) for name in names(GAMES)}


def main() -> None:
    """Write the pages into docs/."""
    for name, page in pages().items():
        (DOCS / name).write_text(page)
        print(name)


if __name__ == "__main__":
    main()
