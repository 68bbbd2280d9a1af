"""Behavioural clones: what they are fitted by is what they play, and they come close to who made the data."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.agents.clones import Clones
from lawgiver.agents.learned import load_policy, save_policy
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.trainers.elections.records.recording import recorded_games
from lawgiver.trainers.elections.records.records import Records, select
from lawgiver.trainers.elections.virtual_people.contributions import Candidate, Schedule, fit_contributions
from lawgiver.trainers.elections.virtual_people.decisions import ContributionData
from lawgiver.trainers.elections.virtual_people.losses import cross_entropy

INVESTMENT: Any = make_game("public_investment", n_rounds=5)


def clones(game: Any = INVESTMENT, seed: int = 0, scale: float = 2.0) -> Clones:
    """Clones of random weights who mostly give something around an aim."""
    torch.manual_seed(seed)
    made = Clones(game, n_hidden=6)
    for weight in made.network.parameters():
        weight.mul_(scale)
    made.network.output.bias[:] = torch.tensor([0.0, 0.0, -1.0, 2.0, 0.3, -1.5])
    return made


def policies(people: Any) -> dict[str, Any]:
    return {"participant": people, "mechanism": make_policy(INVESTMENT, "mechanism", "liberal_egalitarian")}


def played(groups: int, people: Any, seed: int = 1) -> Records:
    opening = INVESTMENT.initial_state(groups, np.random.default_rng(0))
    (records,) = recorded_games(INVESTMENT, *policies(people).values(), opening, np.random.default_rng(seed))
    return records


def test_playing_gives_the_probabilities_that_the_records_are_fitted_by() -> None:
    people, rng = clones(), np.random.default_rng(0)
    opening, records = INVESTMENT.initial_state(7, rng), played(7, people)
    expected = ContributionData.of(records, people).losses(people.network, torch.arange(7))
    total, paid, at, memory = np.zeros(7), np.zeros((7, 4)), 0, people.initial_state(7, rng)
    for step in rollout(INVESTMENT, policies(people), opening, np.random.default_rng(1)):
        paid += step.rewards["participant"]
        if step.role != "participant":
            continue
        legal = INVESTMENT.legal_actions(step.state, "participant")
        found, memory = people.distribution(INVESTMENT.observe(step.state, "participant"), legal, memory)
        assert np.array_equal(np.isfinite(found), legal)
        np.testing.assert_allclose(np.exp(found).sum(-1), 1, atol=1e-5)
        np.testing.assert_array_equal(step.outcome, records.contributions[:, 0, at])
        total -= np.take_along_axis(found, step.outcome.astype(int)[..., None], axis=-1).sum((1, 2))
        at += 1
    np.testing.assert_allclose(total, expected, rtol=1e-4)
    np.testing.assert_allclose(records.payoffs.sum((1, 2)), paid, atol=1e-9)


def test_fitted_clones_come_close_to_those_who_made_the_data() -> None:
    torch.set_num_threads(1)
    truth = clones(scale=3.0)
    records = played(400, truth)
    training, held_out = select(records, slice(0, 240)), select(records, slice(240, 400))
    candidates = [Candidate(partial(Clones, INVESTMENT, n_hidden=8), {"n_hidden": 8}, 0.0)]
    fitted, report = fit_contributions(training, candidates, Schedule(0.02, 32, 60, 10), seed=0)
    best, found = cross_entropy(truth, held_out), cross_entropy(fitted, held_out)
    anything = float(np.log(held_out.endowments + 1).mean())
    assert best - 0.005 < found < best + 0.05
    assert found < anything - 0.8 * (anything - best)
    assert report["n_hidden"] == 8 and 0 < report["epochs"] <= 60
    assert not any(weight.requires_grad for weight in fitted.network.parameters())


def test_clones_are_kept_in_files(tmp_path: Path) -> None:
    people = clones()
    save_policy(tmp_path / "people", people)
    again = load_policy(tmp_path / "people", INVESTMENT, "participant")
    records = played(4, people)
    assert cross_entropy(again, records) == cross_entropy(people, records)
    assert again.settings == {"n_hidden": 6}


def test_games_whose_behaviour_is_not_recorded_are_refused() -> None:
    for game in (make_game("public_investment", mechanism_mode="announce"), make_game("taxed_dilemma")):
        with pytest.raises(UnsupportedGameError, match="clones need a game whose records of behaviour are declared"):
            Clones(game)
    with pytest.raises(ParameterError, match="n_hidden"):
        Clones(INVESTMENT, n_hidden=0)
