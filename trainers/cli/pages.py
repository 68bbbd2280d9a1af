"""Page of a game in Markdown, from the game's declarations and its class docstring."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lawgiver.envs.core.fields import Layout
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.objectives import definition
from lawgiver.envs.core.registry import GAMES, game_name, lookup
from lawgiver.trainers.cli.screens_page import screens


def game_page(name: str) -> str:
    """Write a game's page: creation, observations, actions, rewards, screens, infos, parameters and solutions.

    Raises:
        UnknownNameError: if there is no such game.
    """
    full = game_name(name)
    factory = lookup(GAMES, full)
    game = make_game(full)
    prose, arguments = _docstring(factory)
    title, _, description = prose.partition("\n")
    parts = [f"# lawgiver/{full}", f"*{title}*", description.strip(), _creation(game, full)]
    for role in game.roles:
        parts += _role(game, role)
    parts += _variants(game, full)
    parts += ["## Screens", *screens(game)]
    parts += ["## Infos and masks", *_masks(game), "## How a game ends", *_ends(game)]
    parts += ["## Arguments", _table(("name", "default", "meaning"), _parameters(factory, arguments))]
    if game.presets:
        rows = ((f"`{preset}`", _given(params) or "the defaults") for preset, params in game.presets.items())
        parts += ["## Presets", _table(("`preset=`", "arguments"), rows)]
    parts += ["## Declarations", _declarations(game)]
    solutions = [(s.name, f"{s.value():.6g}", s.source) for s in game.known_solutions()]
    if solutions:
        parts += ["## Known solutions", _table(("what", "value", "source"), solutions)]
    parts += ["## Versions", "\n".join(f"- {version}: {what}" for version, what in game.versions.items())]
    parts += ["## Reference", game.reference]
    return "\n\n".join(part for part in parts if part) + "\n"


def _creation(game: Game[Any], full: str) -> str:
    keywords = {"mechanism": 'mechanism="random"', "participant": 'participants="random"'}
    others = {
        learner: [keywords[role] for role, count in game.roles.items() if role != learner or count > 1]
        for learner in reversed(list(game.roles))
    }
    role = "mechanism" if "mechanism" in game.roles else "participant"
    made = [f'("lawgiver/{full}", ' + ", ".join([f'role="{role}"', *given]) + ")" for role, given in others.items()]
    lines = [
        "import gymnasium, lawgiver, pettingzoo",
        f'pettingzoo.make("parallel", "lawgiver/{full}")',
        f'pettingzoo.make("aec", "lawgiver/{full}")',
        *(f"gymnasium.make{arguments}" for arguments in made),
        f'gymnasium.make_vec("lawgiver/{full}", num_envs=4096, role="{role}",',
        '                   vectorization_mode="vector_entry_point")',
    ]
    return "## Creation\n\n```python\n" + "\n".join(lines) + "\n```"


def _role(game: Game[Any], role: str) -> list[str]:
    views = "Every view but AEC" if game.seats_take_turns else "PettingZoo's parallel view"
    turns = len(game.roles) > 1 or game.seats_take_turns
    turn = [f"{views} adds a last number, `acts_now`: 1 if it is this agent's turn."] if turns else []
    seen, done = (_layout(layout) for layout in _spaces(game, role).values())
    return [f"## {_who(game, role)}", "Observation", seen, *turn, "Action", done, "Reward", _reward(game, role)]


def _who(game: Game[Any], role: str) -> str:
    agents = game.agents_of(role)
    return agents[0] if len(agents) == 1 else f"{agents[0]} to {agents[-1]}"


def _reward(game: Game[Any], role: str) -> str:
    """Describe the reward of a role, with the definition of its objective if it has one."""
    meaning = game.reward_meaning.get(role)
    lines = f"{meaning[0].upper()}{meaning[1:]}; 0 in other phases." if meaning else "In the game's own units."
    chosen = {field.name for field in dataclasses.fields(game)}
    objective = getattr(game, "objective", None) if "objective" in chosen else None
    if role == "mechanism" and isinstance(objective, str):
        lines += f" By default `{objective}`"
        if game.objectives:
            own = ", ".join(f"`{name}`" for name in game.objectives)
            return f"{lines}; allowed: {own}, and what `lawgiver list objectives` lists."
        what = definition(objective)
        lines += f": {what}." if what else "."
    return lines


def _variants(game: Game[Any], full: str) -> list[str]:
    """List the spaces that other parameters bring, each once."""
    shown = {(role, layout) for role in game.roles for layout in _spaces(game, role).values()}
    parts = []
    for name, params in game.variants.items():
        variant = make_game(full, **params)
        parts += [f"### {name}", f"With {_given(params)}:"]
        for role in variant.roles:
            for key, layout in _spaces(variant, role).items():
                if (role, layout) not in shown:
                    parts += [f"{key} of {_who(variant, role)}", _layout(layout)]
                    shown.add((role, layout))
    return ["## Spaces with other arguments", "What is not listed is as above.", *parts] if parts else []


def _given(params: Mapping[str, Any]) -> str:
    return ", ".join(f"`{key}={value!r}`" for key, value in params.items())


def _spaces(game: Game[Any], role: str) -> dict[str, Layout | int]:
    return {"Observation": game.observation_layout(role), "Action": game.action_layout(role)}


def _masks(game: Game[Any]) -> list[str]:
    """Describe the infos, and how illegal actions are played."""
    opening = game.initial_state(1, np.random.default_rng(0))
    masked = [_who(game, role) for role in game.roles if game.legal_actions(opening, role) is not None]
    refused = (
        "An action outside its space, NaN, of a wrong type or missing raises an `ActionError` (a `ValueError`) that "
        "names the agent (of a vector, the game) and the space, and changes nothing. Actions out of turn are ignored."
    )
    beside = (
        '`mask_in_observation=True` shows `{"observation": ..., "action_mask": ...}` to whoever has a Discrete space'
    )
    keys = [f"`{key}`" for key in game.infos(opening)]
    told = f"Infos tell {', '.join(keys)}, the same to every agent." if keys else ""
    if not masked:
        legal = "every action inside its space is legal, and there is no mask."
        said = f"{told} {legal[0].upper()}{legal[1:]}" if told else f"Infos are empty: {legal}"
        return [f"{said} Still, {beside}, with a mask of ones.", refused]
    others = told or "It is the only key; infos of others are empty."
    marks = (
        f'`info["action_mask"]` (int8, 1 for legal) marks the legal actions of {" and of ".join(masked)}. {others} The'
        ' vector view has `infos["action_mask"]`, (num_envs, n_actions).'
    )
    played = "An illegal action inside its space is played as the nearest legal one."
    bare = "and infos hold no mask" if told else "and infos are empty"
    return [f"{marks} Instead, {beside}, {bare}.", f"{played} {refused}"]


def _ends(game: Game[Any]) -> list[str]:
    """Describe termination and truncation, and what each view does afterwards."""
    steps = f"{game.max_steps} steps (a step is one phase: the agents of one role act; with default arguments)"
    if game.horizon_known:
        ending = f"*Terminated* by its rules after exactly {steps}, which the players know; never *truncated* by them."
    else:
        ending = (
            "*Terminated* when its rules end it, which the players do not foresee; *truncated* when it is cut off, "
            f"after {steps} at the latest. Never both."
        )
    views = (
        "PettingZoo: all agents end together; then `agents` is empty until `reset`. `max_cycles=` truncates earlier.",
        "Gymnasium, one game: a step lasts until the learner's next turn; its reward is the sum of the "
        "learner's rewards since its last turn. No "
        "autoreset: `reset` after the end.",
        "Gymnasium, vector: the same, with Gymnasium's `autoreset_mode`: in `NextStep` (default) the step after a "
        "game's end ignores its action and returns the new game's first observation, reward 0 and both flags False; "
        "`SameStep` and `Disabled` on request. `max_episode_steps=` truncates earlier.",
    )
    return [ending, "\n".join(f"- {view}" for view in views)]


def _layout(layout: Layout | int) -> str:
    if isinstance(layout, int):
        return f"`Discrete({layout})`: 0 to {layout - 1}"
    rows = [(f"`{f.name}`", f.size, f"[{f.low:g}, {f.high:g}]", f.unit, f.meaning) for f in layout]
    return _table(("field", "size", "range", "unit", "meaning"), rows)


def _declarations(game: Game[Any]) -> str:
    rows = [
        ("participants' rewards", f"{game.sum_type} sum"),
        ("budget", "balanced" if game.budget_balanced else "not balanced"),
        ("longest game", f"{game.max_steps} steps"),
        ("horizon", "known to the players" if game.horizon_known else "not known to the players"),
    ]
    return _table(("what", "declared"), rows)


def _docstring(factory: Any) -> tuple[str, dict[str, str]]:
    """Split a docstring into its prose and the entries of its section ``Args``."""
    text = inspect.cleandoc(factory.__doc__ or factory.__name__)
    prose, _, rest = text.partition("\nArgs:\n")
    section = re.split(r"\n\S", rest, maxsplit=1)[0]
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", section, flags=re.MULTILINE)
    prose = re.split(r"\n(?:Raises|Attributes|Returns):\n", prose, maxsplit=1)[0]
    return _markdown(prose.strip()), {key: " ".join(value.split()) for key, value in entries}


def _parameters(factory: Any, arguments: dict[str, str]) -> Iterable[tuple[str, str, str]]:
    fields = dataclasses.fields(factory) if dataclasses.is_dataclass(factory) else ()
    for field in (each for each in fields if each.init):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        told = "required" if default is dataclasses.MISSING else f"`{default!r}`"
        yield f"`{field.name}`", told, _markdown(arguments.get(field.name, ""))


def _markdown(docstring: str) -> str:
    """Write the literals and the roles (``:mod:`name```) of a docstring as Markdown."""
    return re.sub(r":\w+:`~?([^`]+)`", r"`\1`", docstring).replace("``", "`")


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)
