"""Trained participants beside the closed form: the distributions, how far they are apart, and where both are told."""

from __future__ import annotations

import numpy as np
import pytest

from lawgiver.agents.network_policies import LearnedParticipants
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.cli.printed_tables import show_summary
from lawgiver.trainers.rllib import trainer
from lawgiver.trainers.rllib.closed_form import beside_closed_form, choices, summary_of
from lawgiver.trainers.rllib.play import RolloutSetup
from lawgiver.trainers.rllib.results import beside
from lawgiver.trainers.rllib.setup import Setup
from lawgiver.trainers.runs.config import load_config

LEVEL = 0.8
ANNOUNCE = {"mechanism_mode": "announce", "participant_observation": "rule"}


def geometric(endowment: int) -> np.ndarray:
    """Return the logit choice where each point given brings back 1.6 of its own: exp(0.6 level c), normalised."""
    weights = np.exp(LEVEL * 0.6 * np.arange(endowment + 1))
    return weights / weights.sum()


def apart(endowment: int) -> float:
    """Return the total variation between the uniform distribution and the closed form."""
    return float(np.abs(geometric(endowment) - 1 / (endowment + 1)).sum() / 2)


@pytest.mark.parametrize("conditions", [((4, 2, 2),), ((4, 2, 2), (3, 3, 3))])
def test_untrained_participants_are_as_far_from_the_closed_form_as_the_uniform_distribution(conditions):
    game = make_game("public_investment", endowments=[list(each) for each in conditions], **ANNOUNCE)
    people = LearnedParticipants(game, hidden=(4,))
    libertarian = make_policy(game, "mechanism", "libertarian")
    found = list(beside_closed_form(game, libertarian, people, LEVEL, None))
    assert [each.endowments for each in found] == list(conditions)
    for each in found:
        for seat, endowment in enumerate(each.endowments):
            np.testing.assert_allclose(each.exact[seat, : endowment + 1], geometric(endowment), atol=1e-9)
            np.testing.assert_allclose(each.learned[seat, : endowment + 1], 1 / (endowment + 1), atol=1e-6)
        assert each.distance == pytest.approx(max(map(apart, each.endowments)), abs=1e-6)
    told = summary_of(found)
    most = max(apart(endowment) for each in conditions for endowment in each)
    assert told["distance_from_closed_form"] == pytest.approx(most, abs=1e-6)
    assert list(told["choices"]) == [f"endowment {e}, {who}" for e in (4, 2) for who in ("trained", "closed form")]


def test_participants_in_equilibrium_are_at_the_closed_form():
    game = make_game("public_investment", endowments=[4, 2, 2])
    people = make_policy(game, "participant", "logit_equilibrium", inverse_temperature=LEVEL, mechanism="libertarian")
    (found,) = beside_closed_form(game, make_policy(game, "mechanism", "libertarian"), people, LEVEL, None)
    assert found.distance < 1e-6
    assert choices(found)["endowment 2, trained"]["2"] == pytest.approx(geometric(2)[2], abs=1e-6)


def test_nothing_is_told_where_no_closed_form_is_known():
    assert summary_of([]) == {}


def test_the_table_shows_the_closed_form_beside_what_was_learned(capsys, monkeypatch):
    game = make_game("public_investment", endowments=[4, 2, 2], **ANNOUNCE)
    given = {"mechanism": make_policy(game, "mechanism", "libertarian")}
    setup = Setup(load_config("public_investment"), RolloutSetup(game, given=given), LEVEL)
    told = beside(setup, {"participant": LearnedParticipants(game, hidden=(4,))})
    assert beside(Setup(setup.config, RolloutSetup(game), LEVEL), {}) == {}
    monkeypatch.setenv("COLUMNS", "160")
    show_summary({**told, "populations": {"exact": "the logit choice in closed form"}}, trainer)
    lines = capsys.readouterr().out.splitlines()
    assert "Probability of each contribution (points), trained beside the logit choice in closed form" in lines
    heading = next(line for line in lines if "endowment 4, trained" in line)
    assert "endowment 4, closed form" in heading and "endowment 2, closed form" in heading
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split() and line.split()[0] in "01234"}
    assert [float(rows[c][0]) for c in "01234"] == pytest.approx([0.2] * 5, abs=1e-4)
    assert [float(rows[c][1]) for c in "01234"] == pytest.approx(geometric(4), rel=1e-3)
    assert [float(rows[c][3]) for c in "012"] == pytest.approx(geometric(2), rel=1e-3)
    (distance,) = (line for line in lines if line.startswith("distance_from_closed_form"))
    assert float(distance.split()[1]) == pytest.approx(apart(4), rel=1e-3)
