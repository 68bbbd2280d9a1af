"""The exact solver refuses mechanisms for which one round does not stand for all."""

import numpy as np
import pytest

from lawgiver.agents.mechanisms import Weights
from lawgiver.envs.core.errors import NoSolution, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.evaluation.score_table import score_table

GAMES = {
    "allocate": {"name": "public_investment", "endowments": (3, 2)},
    "announce": {"name": "public_investment", "endowments": (3, 2), "mechanism_mode": "announce"},
    "tax": {"name": "taxed_dilemma"},
    "tax_after": {"name": "taxed_dilemma", "mechanism_mode": "allocate"},
}


class Remembering:
    """The libertarian rule, with a memory that it makes no use of."""

    def __init__(self, game):
        self.rule = make_policy(game, "mechanism", "libertarian")
        self.distribution, self.act = self.rule.distribution, self.rule.act

    def initial_state(self, batch, rng):
        return np.zeros(batch)


class Lottery(Weights):
    """Gives the whole fund to somebody drawn by lot, as an outcome."""

    def weights(self, endowments, contributions):
        """Never asked: the outcome below is the whole rule."""
        raise NotImplementedError

    def outcome(self, obs, mask, state, rng):
        return np.eye(2)[(rng.random(len(obs)) < 0.5).astype(int)], state


@pytest.mark.parametrize("params", GAMES.values(), ids=GAMES)
def test_who_remembers_or_draws_at_random_has_no_exact_scores(params):
    game = make_game(**params)
    drawn = game.exact_scores(make_policy(game, "mechanism", "random"), inverse_temperature=1.0)
    remembered = game.exact_scores(Remembering(game), inverse_temperature=1.0)
    assert drawn == NoSolution("no exact equilibrium: the mechanism draws what it does at random")
    assert isinstance(remembered, NoSolution) and "remembers" in remembered.reason
    assert not isinstance(
        game.exact_scores(make_policy(game, "mechanism", "libertarian"), inverse_temperature=1.0), NoSolution
    )


def test_an_outcome_drawn_by_lot_is_noticed():
    game = make_game(**GAMES["allocate"])
    assert "at random" in game.exact_scores(Lottery(game), inverse_temperature=1.0).reason


def test_a_table_says_why_a_mechanism_has_no_scores():
    game = make_game(**GAMES["allocate"])
    table = score_table(game, make_policy(game, "mechanism", "random"), inverse_temperature=1.0, updates=1)
    assert table.value("learned", "surplus") is None and "at random" in table.reasons()["learned"]


def test_nobody_plays_the_equilibrium_under_a_lottery():
    for mode in ("allocate", "announce"):
        with pytest.raises(UnsupportedGameError, match=r"'logit_equilibrium': no exact equilibrium.*at random"):
            make_policy(
                make_game("public_investment", mechanism_mode=mode),
                "participant",
                "logit_equilibrium",
                mechanism="random",
                inverse_temperature=1.0,
            )
