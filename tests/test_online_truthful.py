"""Rules of online allocation under which lies do not pay, and participants who lie."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch

import lawgiver
from lawgiver.agents.online_truthful import MoneyBurning, Serial
from lawgiver.envs.core.errors import UnsupportedGameError
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.envs.solvers.online_allocation.externalities import externalities

GAME = OnlineAllocation(n=3, rounds=40, payments=True)


def tables(games: int, n: int) -> np.ndarray:
    """Draw tables of values (G, n, n)."""
    return np.random.default_rng(7).random((games, n, n))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_externalities_are_what_the_others_lose(n: int) -> None:
    values = tables(50, n)
    for table in values:
        worth = {x: sum(table[i, x[i]] for i in range(n)) for x in permutations(range(n))}
        best = max(worth, key=lambda x: worth[x])
        found = externalities(table[None], np.array([best]))[0]
        for agent in range(n):
            others = [sum(table[i, x[i]] for i in range(n) if i != agent) for x in worth]
            assert found[agent] == pytest.approx(max(others) - worth[best] + table[agent, best[agent]], abs=1e-12)
        assert (found >= 0).all() and (found <= 1).all()


@pytest.mark.parametrize("rule", [Serial, MoneyBurning])
def test_no_answers_bring_an_agent_more_of_what_it_has_experienced(rule: Any) -> None:
    """Exactly, in every game: kept by its own true mean answers, whatever row it reports instead."""
    mechanism, n = rule(GAME), 3
    truth, others = tables(4_000, n), np.random.default_rng(8).random((4_000, n, n))

    def kept(reports: np.ndarray) -> np.ndarray:
        assignment = mechanism.settle(reports)
        burnt = externalities(reports, assignment) if rule is MoneyBurning else 0.0
        own: np.ndarray = np.take_along_axis(truth, assignment[..., None], -1)[..., 0] - burnt
        return own

    for agent in range(n):
        for lie in (others[:, agent], others[:, agent].round(), 1 - truth[:, agent], 0 * truth[:, agent]):
            reports = truth.copy()
            reports[:, agent] = lie
            assert (kept(reports)[:, agent] <= kept(truth)[:, agent] + 1e-12).all()


@pytest.mark.parametrize("query", ["own", "any_pair"])
def test_a_commitment_hangs_on_the_answers_of_the_exploration_alone(query: str) -> None:
    """What is assigned and asked while exploring hangs on no answer, and later answers change nothing."""
    game = replace(GAME, query=query)
    mechanism = MoneyBurning(game)
    played = {}
    for name in ("truthful", "best_only"):
        rng = np.random.default_rng(1)
        people = make_policy(game, "participant", name)
        steps = list(rollout(game, {"mechanism": mechanism, "participant": people}, game.initial_state(20, rng), rng))
        played[name] = np.stack([step.outcome for step in steps if step.role == "mechanism"])
    explored = mechanism.explored
    assert (played["truthful"][:explored] == played["best_only"][:explored]).all()
    assert (played["truthful"][explored:] != played["best_only"][explored:]).any()
    for rounds in played.values():
        kept = rounds[explored:]
        assert (kept[..., :3] == kept[:1, :, :3]).all() and (kept[..., 6:] == kept[:1, :, 6:]).all()


def test_what_is_burnt_is_taken_from_payoffs_and_seen() -> None:
    rng = np.random.default_rng(2)
    mechanism, people = make_policy(GAME, "mechanism", "money_burning"), make_policy(GAME, "participant", "truthful")
    burnt = 0.0
    for step in rollout(GAME, {"mechanism": mechanism, "participant": people}, GAME.initial_state(30, rng), rng):
        if step.role != "participant":
            continue
        own = np.take_along_axis(step.state.values, step.state.matched[..., None], -1)[..., 0]
        assert np.allclose(step.rewards["participant"], own - step.state.burnt)
        seen = GAME.observe(step.state, "participant")[..., -2]
        assert (seen == step.state.burnt).all()
        burnt += float(GAME.measures()["burnt"](step.after).sum())
    assert burnt > 0


@pytest.mark.parametrize("name", ["serial", "money_burning"])
def test_rules_are_one_on_both_backends_and_as_actions(name: str) -> None:
    mechanism = make_policy(GAME, "mechanism", name)
    rng = np.random.default_rng(3)
    people = make_policy(GAME, "participant", "truthful")
    memory = mechanism.initial_state(10, rng)
    like = torch.Generator().manual_seed(0)
    other = mechanism.initial_state(10, like)
    for step in rollout(GAME, {"mechanism": mechanism, "participant": people}, GAME.initial_state(10, rng), rng):
        if step.role != "mechanism":
            continue
        obs = GAME.observe(step.state, "mechanism")
        outcome, memory = mechanism.outcome(obs, None, memory, rng)
        on_torch, other = mechanism.outcome(torch.as_tensor(obs), None, other, like)
        assert (outcome == step.outcome).all()
        assert np.allclose(on_torch.numpy(), outcome)
        assert np.allclose(GAME.outcome(step.state, GAME.action_of(outcome)), outcome)


@pytest.mark.parametrize(
    ("role", "policy", "game", "message"),
    [
        ("mechanism", "money_burning", replace(GAME, payments=False), "has payments=False: take payments=True"),
        (
            "mechanism",
            "serial",
            replace(GAME, criterion="stability", query="any_pair"),
            "'serial' asks agents alone, allowed: criteria other than 'stability'",
        ),
        ("participant", "answers", lawgiver.make_game("lanes"), "'answers' plays online_allocation, not lanes-v0"),
    ],
)
def test_rules_say_which_games_they_play(role: str, policy: str, game: Any, message: str) -> None:
    with pytest.raises(UnsupportedGameError, match=re.escape(message)):
        make_policy(game, role, policy)


def test_answers_are_numbers_between_bad_and_good() -> None:
    with pytest.raises(lawgiver.api.ParameterError, match=r"good is 1\.5"):
        make_policy(GAME, "participant", {"policy": "answers", "good": 1.5})
    with pytest.raises(lawgiver.api.ParameterError, match="payments is 1, allowed"):
        OnlineAllocation(payments=1)  # type: ignore[arg-type]
