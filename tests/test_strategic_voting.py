"""What ballots bring in a repeated vote: expected payoffs, best replies, equilibria, and those of the trained."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from lawgiver.agents.reporting import Honest
from lawgiver.envs.core.arrays import softmax
from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.repeated import RepeatedGame, ballot_payoffs
from lawgiver.envs.repeated.ballot_payoffs import BallotPayoffs
from lawgiver.trainers.rllib.tables import tables_of
from lawgiver.trainers.rllib.trained_ballots import ballots

SKEWED = {"name": "voting", "n": 3, "m": 3, "culture": "plackett_luce", "log_weights": [0, 0, -1.5]}


def payoffs_of(rule="borda", profiles=500, **stage):
    game = RepeatedGame(stage=SKEWED | stage)
    mechanism = make_policy(game, "mechanism", rule)
    return game, mechanism, BallotPayoffs.of(game.one_shot, mechanism, profiles, 0)


def test_the_table_is_the_rule():
    game, mechanism, known = payoffs_of("irv")
    for joint in product(range(6), repeat=3):
        reports = game.menu[np.array(joint)][None]
        done = play_out(game.one_shot, mechanism, reports, reports)
        assert known.lotteries[joint] == pytest.approx(done.lottery[0])
    assert known.payments.shape == (6, 6, 6, 3) and not known.payments.any()


def test_what_a_ballot_brings_is_its_mean_over_all_others():
    """Of a sample in which every pair of true ballots is as frequent as the culture has it, by brute force."""
    game, mechanism, known = payoffs_of(profiles=40, n=2)
    rng = np.random.default_rng(1)
    played = rng.dirichlet(np.ones(6), (40, 2))
    found, cast = known.expected(played), known.by_true_ballot(played)
    for profile, seat in np.ndindex(3, 2):
        alike = np.flatnonzero(known.honest[:, seat] == known.honest[profile, seat])
        for ballot in range(6):
            brought = []
            for other, theirs in product(alike, range(6)):
                joint = np.array([ballot, theirs] if seat == 0 else [theirs, ballot])
                reports = game.menu[joint][None]
                lottery = play_out(game.one_shot, mechanism, reports, reports).lottery[0]
                weight = cast[1 - seat, known.honest[other, 1 - seat], theirs]
                brought.append(weight * known.types[profile, seat] @ lottery)
            assert found[profile, seat, ballot] == pytest.approx(np.sum(brought) / len(alike))


def test_payments_are_taken_off():
    _, _, known = payoffs_of(profiles=30)
    rng = np.random.default_rng(2)
    flat = rng.random(3)
    paying = BallotPayoffs(known.types, known.honest, known.lotteries, known.payments + flat)
    played = known.truth
    assert paying.expected(played) == pytest.approx(known.expected(played) - flat[:, None])


def test_best_replies_leave_nothing_to_gain_and_prefer_the_truth():
    _, _, known = payoffs_of()
    expected, reply = known.expected(known.truth), known.best_reply(known.truth)
    assert (reply.sum(-1) == 1).all()
    assert (expected * reply).sum(-1) == pytest.approx(expected.max(-1))
    assert 0.3 < 1 - (reply * known.truth).sum(-1).mean() < 0.7
    for rule in ("random_dictator", "random_pair_majority"):
        _, _, truthful = payoffs_of(rule)
        assert np.array_equal(truthful.best_reply(truthful.truth), truthful.truth)


def test_compromising_voters_give_about_the_best_reply():
    game, _, known = payoffs_of()
    made = make_policy(game, "participant", {"policy": "compromise", "rule": "borda", "samples": 4000})
    state = game.initial_state(500, np.random.default_rng(0))
    obs = game.observe(state, "participant")
    assert np.array_equal(state.now.types, known.types)
    found = np.exp(made.distribution(obs, None, None)[0])
    expected = known.expected(known.truth)
    lost = (expected * (known.best_reply(known.truth) - found)).sum(-1)
    assert 0 <= lost.mean() < 1e-3


def test_an_equilibrium_is_the_logit_reply_to_itself():
    _, _, known = payoffs_of()
    for temperature in (0.0, 30.0, 1000.0):
        found = known.equilibrium(temperature)
        reply = softmax(temperature * known.expected(found))
        assert np.abs(known.by_true_ballot(reply) - known.by_true_ballot(found)).sum(-1).max() <= 4e-3
    assert known.equilibrium(0.0) == pytest.approx(np.full((500, 3, 6), 1 / 6))
    told = (known.expected(found) * known.truth).sum(-1).mean()
    assert (known.expected(found) * found).sum(-1).mean() > told + 1e-3, "lies pay under Borda's rule"


def test_an_equilibrium_that_is_not_found_is_an_error(monkeypatch):
    monkeypatch.setattr(ballot_payoffs, "STEPS", 1)
    with pytest.raises(ConvergenceError, match="no logit equilibrium in 1 steps: off by a probability of 0"):
        payoffs_of()[2].equilibrium(1000.0)


@pytest.mark.parametrize("mode", ["allocate", "announce"])
def test_truthful_participants_are_told_from_what_pays(mode):
    game = RepeatedGame(stage=SKEWED | {"mechanism_mode": mode})
    found = ballots(game, make_policy(game, "mechanism", "borda"), Honest(game), 1000.0)
    rows = found["ballots"]
    assert rows["ballots that are untrue (share)"] == pytest.approx(
        {"truth": 0, "trained": 0, "best_reply": 0.57, "equilibrium": 0.34}, abs=0.02
    )
    paid = rows["payoff of a participant, a round"]
    assert paid["trained"] == pytest.approx(paid["truth"]) and paid["truth"] > paid["equilibrium"]
    gain = rows["gain by the best ballot, while the others play on"]
    assert gain["truth"] == pytest.approx(0.013, abs=0.002) and gain["equilibrium"] < 1e-4
    assert set(found["cast"]) == {f"true {a} > {b} > {c}" for a, b, c in [(1, 2, 3), (1, 3, 2), (2, 1, 3), (2, 3, 1),
                                                                          (3, 1, 2), (3, 2, 1)]}  # fmt: skip
    assert all(by[truth.removeprefix("true ")] == pytest.approx(1) for truth, by in found["cast"].items())
    titles = [table.title for table in tables_of(found)]
    assert titles[:2] == ["Ballots, and what they bring", "Probability of each ballot, trained, by true ballot"]


def test_what_has_no_table_of_ballots_is_left_out():
    large = RepeatedGame(stage=SKEWED | {"n": 5})
    assert ballots(large, make_policy(large, "mechanism", "borda"), Honest(large), 10.0) == {}
    public = RepeatedGame(stage={"name": "voting", "n": 3, "m": 3, "culture": "single_peaked"})
    assert ballots(public, make_policy(public, "mechanism", "median"), Honest(public), 10.0) == {}
    game = RepeatedGame(stage=SKEWED)
    assert ballots(game, make_policy(game, "mechanism", "random"), Honest(game), 10.0) == {}
    found = ballots(game, make_policy(game, "mechanism", "plurality"), Honest(game), np.inf)
    assert found["ballots"]["ballots that are untrue (share)"]["equilibrium"] is None


def test_the_packaged_training_is_of_a_vote():
    from lawgiver.trainers.runs.config import load_config

    game = load_config("strategic_voting").game.make()
    assert isinstance(game, RepeatedGame) and game == make_game("repeated", stage=SKEWED, rounds=4)
