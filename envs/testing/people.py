"""The check that people can play a game on a screen, by what it declares alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.validation import check_actions
from lawgiver.envs.core.wording import CHOICE, wording_fault
from lawgiver.envs.testing.play import UniformPlayer, random_steps, require
from lawgiver.envs.views.screen import Form, form, read_form, shown
from lawgiver.envs.views.session import Session


def check_people(game: Game[Any], seed: int = 16) -> None:
    """The game can be shown to people: its words fit it, and it is played to the end from what forms send.

    Games without participants are passed over.
    """
    if "participant" not in game.roles:
        return
    for language in game.languages:
        fault = wording_fault(game, game.wording(language))
        require(fault is None, game, f"its wording in {language!r} does not fit: {fault}")
    _check_own_first(game)
    rng = np.random.default_rng(seed)
    for language in game.languages:
        _play(game, language, rng)


def _check_own_first(game: Game[Any], batch: int = 8, seed: int = 17) -> None:
    """Fields that are declared so hold each participant's number first, and then the others' in the order of seats."""
    layout, n = game.observation_layout("participant"), game.roles["participant"]
    marked = [field for field in layout if field.own_first]
    for field in marked:
        require(field.size == n, game, f"the field {field.name!r} is own_first, of size {field.size} instead of {n}")
    orders = [[seat, *(other for other in range(n) if other != seat)] for seat in range(n)]
    for step in random_steps(game, batch, np.random.default_rng(seed)) if marked else ():
        seen = game.observe(step.state, "participant")
        for field in marked:
            values = seen[..., columns(layout)[field.name]]
            fits = all((values[:, seat] == values[:, 0][:, order]).all() for seat, order in enumerate(orders))
            told = f"at step {step.index} {field.name!r} does not hold everybody's own number first, then the others'"
            require(fits, game, told)


def _play(game: Game[Any], language: str, rng: np.random.Generator) -> None:
    """Play one game to its end, all participants by forms, everybody else at random."""
    wording = game.wording(language)
    session = Session(game, {role: UniformPlayer(game, role) for role in game.roles if role != "participant"})
    session.rng = rng
    session.reset(1)
    while not (session.terminated[0] or session.truncated[0]):
        seen, mask = game.observe(session.state, "participant")[0], game.legal_actions(session.state, "participant")
        actions = []
        for seat, observation in enumerate(seen):
            for field in shown(game, wording, observation):
                finite = all(math.isfinite(value) for value in field.values)
                require(finite, game, f"people see a number in {field.name!r} that is not finite: {field.values}")
            asked = form(game, wording, observation, None if mask is None else mask[0, seat])
            actions.append(read_form(asked, filled_in(asked, rng)))
        session.step(check_actions(game, "participant", actions, game.agents_of("participant"))[None])


def filled_in(form: Form, rng: np.random.Generator) -> dict[str, str]:
    """Fill in a form at random, as texts by key."""
    if form.options:
        return {CHOICE: str(form.options[int(rng.integers(len(form.options)))].value)}
    sent = {}
    for entry in form.entries:
        whole, level = entry.whole, float(rng.random())
        sent[entry.key] = (
            str(int(rng.integers(int(entry.low), int(entry.high), endpoint=True)))
            if whole
            else repr(min(max(entry.low + level * (entry.high - entry.low), entry.low), entry.high))
        )
    return sent
