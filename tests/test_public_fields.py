"""Reporting games in which something is public: types carry it, both roles see it, nobody reports it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from lawgiver.agents.mechanisms import Announcement
from lawgiver.agents.reporting import DirectMechanism, Truthful
from lawgiver.envs.core.arrays import floats, namespace, softmax
from lawgiver.envs.core.fields import Field, width
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.families.choice_game import ChoiceGame, lottery_of
from lawgiver.envs.families.play_out import play_out
from lawgiver.testing import check_game
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.audit.core import own_of_game


@dataclass(frozen=True)
class Posters(ChoiceGame):
    """Participants choose among ``m`` posters of public sizes, which they like to be large."""

    n: int = 3
    objective: str = "welfare"
    mechanism_mode: str = "allocate"
    m: int = 2

    name = "posters-v0"
    summary = "chooses a poster"
    reference = "none"

    def __post_init__(self):
        self.check_choices()

    def public_layout(self):
        return (Field("sizes", self.m, 0.0, 1.0, "metres", "of the posters"),)

    @property
    def draw_size(self):
        return 2 * self.m

    def types_of(self, draws):
        sizes = 0 * draws[..., : self.m] + draws[:, :1, self.m :]
        return namespace(draws).concat([draws[..., : self.m] * sizes, sizes], axis=-1)

    def rule_layout(self):
        return (Field("sharpness", 1, 0.0, 1.0, "factor", "of reports"),)

    def decide(self, parameters, reports):
        return softmax(parameters * namespace(reports).sum(reports, axis=1))


class Largest(DirectMechanism):
    """Chooses the largest poster, which it sees although nobody reports it."""

    def outcome(self, obs, mask, state, rng):
        return softmax(1e3 * obs[:, 0, -self.game.m :]), state

    def decision(self, reports):
        raise NotImplementedError


def test_what_is_public_is_seen_and_not_reported():
    for mode in ("allocate", "announce"):
        game = Posters(mechanism_mode=mode)
        check_game(game)
        state = game.initial_state(4, np.random.default_rng(0))
        assert state.types.shape == (4, 3, 4) and state.reports.shape == (4, 3, 2)
        assert width(game.action_layout("participant")) == 2
        seen, shown = game.observe(state, "participant"), game.observe(state, "mechanism")
        assert np.array_equal(seen[..., 2:4], state.types[..., 2:]) and np.array_equal(shown[:, 0, 6:], seen[:, 0, 2:4])
        assert game.seen_reports(shown).shape == (4, 3, 2)
        assert np.array_equal(Truthful(game).action(seen), game.private(state.types))


def test_mechanisms_that_use_it_are_played_with_given_types():
    game = Posters()
    for rng in (np.random.default_rng(0), torch.Generator().manual_seed(0)):
        types = game.initial_state(50, rng).types
        done = play_out(game, Largest(game), types, types)
        xp = namespace(types)
        largest = xp.argmax(types[:, 0, 2:], axis=-1)
        assert bool(xp.all(xp.argmax(lottery_of(done), axis=-1) == largest)) and done.reports.shape == (50, 3, 2)
        worth = xp.sum(types[..., :2] * lottery_of(done)[:, None], axis=-1)
        assert bool(xp.all(xp.abs(done.utilities - worth) < 1e-6))
    policies = {"participant": Truthful(game), "mechanism": Largest(game)}
    *_, last = rollout(game, policies, game.initial_state(5, np.random.default_rng(1)), np.random.default_rng(2))
    assert np.allclose(last.after.reports, game.private(last.after.types))


class Approved(Posters):
    """Participants approve of posters or not."""

    menu_noun = "ballots"

    def read(self, reports):
        return floats(reports > 0.5, reports)

    def menu(self):
        return np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def test_audits_vary_what_is_reported_alone():
    for game, exact in ((Posters(mechanism_mode="announce"), False), (Approved(mechanism_mode="announce"), True)):
        types = game.initial_state(6, np.random.default_rng(0)).types
        found = audit_game(game, Announcement([1.0]), types, effort=1, gradient=False)
        assert found.exact == exact and found.joint.reports.shape == (6, 3, 2)
        told = found.data()["groups"]["utility"]
        assert told["absolute"]["mean"].mean > 0
        assert {name: np.shape(each) for name, each in told["worst"]["types"].items()} == {
            "utility": (3, 2),
            "sizes": (3, 2),
        }
        assert found.played.shape == (6, 3, 2)
        assert {name: np.shape(each) for name, each in told["worst"]["played"].items()} == {"utility": (3, 2)}
        truth = play_out(game, Announcement([1.0]), types, types)
        profile, seat = np.unravel_index(found.joint.gains.argmax(), (6, 3))
        reports = game.private(types).copy()
        reports[profile, seat] = found.joint.reports[profile, seat]
        lied = play_out(game, Announcement([1.0]), types, reports)
        assert lied.utilities[profile, seat] - truth.utilities[profile, seat] == pytest.approx(found.largest_gain)


@dataclass(frozen=True)
class Rounded(Posters):
    """Participants whose reports are read in whole numbers, which the rule does not do for itself."""

    def read(self, reports):
        return floats(reports > 0.5, reports)


def test_a_search_lets_the_game_read_what_is_reported():
    game = Rounded(mechanism_mode="announce")
    types = game.initial_state(6, np.random.default_rng(0)).types
    reports = np.random.default_rng(1).random((6, 3, 2))
    seats = np.arange(6) % 3
    own = own_of_game(game, Announcement([1.0]))
    assert own is not None
    whole = play_out(game, Announcement([1.0]), types, reports)
    assert own(types, reports, seats) == pytest.approx(whole.utilities[np.arange(6), seats], abs=1e-12)
    assert not audit_game(game, Announcement([1.0]), types, effort=1, gradient=False).exact
