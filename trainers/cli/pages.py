"""The page of a game, in Markdown, out of what the game declares and its class docstring says."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterable, Sequence
from typing import Any

from rich.table import Column, Table

from lawgiver.envs.core.fields import Layout
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.registry import GAMES, game_name, lookup, make_game, names


def game_list() -> Table:
    """Return the table of all installed games."""
    table = Table(
        Column("game", no_wrap=True), "players", "rewards", "known solutions", "reference", title="lawgiver games"
    )
    for name in names(GAMES):
        try:
            game = make_game(name)
        except ImportError as error:  # a third party's game must not hide the others
            table.add_row(name, "", "", "", f"cannot be imported: {error}")
            continue
        players = ", ".join(f"{count} {role}" for role, count in game.roles.items())
        table.add_row(name, players, f"{game.sum_type} sum", str(len(game.known_solutions())), game.reference)
    return table


def game_page(name: str) -> str:
    """Return a game's page: how to make it, what is seen, done and paid, its parameters and what is known exactly.

    Raises:
        UnknownNameError: if there is no such game.
    """
    full = game_name(name)
    factory = lookup(GAMES, full)
    game = make_game(full)
    prose, arguments = _docstring(factory)
    title, _, description = prose.partition("\n")
    parts = [f"# lawgiver/{full}", f"*{title}*", description.strip(), _creation(full)]
    for role, count in game.roles.items():
        parts += _role(game, role, count)
    parts += ["## Arguments", _table(("name", "default", "meaning"), _parameters(factory, arguments))]
    parts += ["## Declarations", _declarations(game)]
    solutions = [(s.name, f"{s.value():.6g}", s.source) for s in game.known_solutions()]
    if solutions:
        parts += ["## Known solutions", _table(("what", "value", "source"), solutions)]
    parts += ["## Reference", game.reference]
    return "\n\n".join(part for part in parts if part) + "\n"


def _creation(full: str) -> str:
    lines = [
        "import gymnasium, lawgiver, pettingzoo",
        f'pettingzoo.make("parallel", "lawgiver/{full}")',
        f'pettingzoo.make("aec", "lawgiver/{full}")',
        f'gymnasium.make("lawgiver/{full}", role="mechanism", participants="random")',
        f'gymnasium.make("lawgiver/{full}", role="participant", mechanism="random", participants="random")',
        f'gymnasium.make_vec("lawgiver/{full}", num_envs=4096, role="mechanism",',
        '                   vectorization_mode="vector_entry_point")',
    ]
    return "## Creation\n\n```python\n" + "\n".join(lines) + "\n```"


def _role(game: Game[Any], role: str, count: int) -> list[str]:
    agents = game.agents_of(role)
    who = agents[0] if count == 1 else f"{agents[0]} to {agents[-1]}"
    action = game.action_layout(role)
    done = f"`Discrete({action})`: 0 to {action - 1}" if isinstance(action, int) else _layout(action)
    turn = "PettingZoo's parallel view adds a last number, `acts_now`: 1 if it is this agent's turn."
    seen = _layout(game.observation_layout(role))
    return [f"## {who}", "Observation", seen, turn, "Action", done]


def _layout(layout: Layout) -> str:
    rows = [(f"`{f.name}`", f.size, f"[{f.low:g}, {f.high:g}]", f.unit, f.meaning) for f in layout]
    return _table(("field", "size", "range", "unit", "meaning"), rows)


def _declarations(game: Game[Any]) -> str:
    horizon = "known to the players" if game.horizon_known else "not known to the players"
    rows = [
        ("rewards", f"{game.sum_type} sum, in the game's own units; the mechanism is paid the objective"),
        ("budget", "balanced" if game.budget_balanced else "not balanced"),
        ("longest game", f"{game.max_steps} steps (a step is one phase), {horizon}"),
        ("autoreset", "vector view: NEXT_STEP; the step after a game's end ignores its action"),
    ]
    return _table(("what", "declared"), rows)


def _docstring(factory: Any) -> tuple[str, dict[str, str]]:
    """Return a docstring's prose, and what its section ``Args`` says about each argument."""
    text = inspect.cleandoc(factory.__doc__ or factory.__name__)
    prose, _, rest = text.partition("\nArgs:\n")
    section = re.split(r"\n\S", rest, maxsplit=1)[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section, flags=re.MULTILINE)
    prose = re.split(r"\n(?:Raises|Attributes|Returns):\n", prose, maxsplit=1)[0]
    return prose.strip().replace("``", "`"), {key: " ".join(value.split()) for key, value in entries}


def _parameters(factory: Any, arguments: dict[str, str]) -> Iterable[tuple[str, str, str]]:
    fields = dataclasses.fields(factory) if dataclasses.is_dataclass(factory) else ()
    for field in fields:
        default = "required" if field.default is dataclasses.MISSING else f"`{field.default!r}`"
        yield f"`{field.name}`", default, arguments.get(field.name, "").replace("``", "`")


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
