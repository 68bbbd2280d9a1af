"""Backward induction in the common-pool trust game with participants of bounded rationality."""

from dataclasses import replace

import numpy as np
import pytest

from lawgiver.envs.commons_trust.bounded_rationality import BoundedPlay, solve
from lawgiver.envs.core.errors import NoSolution, ParameterError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout


def solved(game, inverse_temperature, name="equal_offers", **sizes) -> BoundedPlay:
    found = solve(game, make_policy(game, "mechanism", name), inverse_temperature, **sizes)
    assert isinstance(found, BoundedPlay), found
    return found


def test_strategies_are_logit_responses_by_enumeration():
    """Three seats, every joint return played out one by one, against what the solver makes of multisets."""
    level, growth, capacity = 0.3, 1.4, 20.0
    game = make_game("commons_trust", n=3, capacity=capacity, first_pool=15.0, n_rounds=3)
    found = solved(game, level, n_pools=9, n_fractions=4)
    assert found.residual <= 1e-9
    ahead = np.zeros(9)
    for t in (2, 1, 0):
        for k, pool in enumerate(found.pools):
            offer, play = pool / 3, found.strategies[t, k, 0]
            q = np.zeros(4)
            for own in range(4):
                for second in range(4):
                    for third in range(4):
                        returned = offer * (found.fractions[own] + found.fractions[second] + found.fractions[third])
                        then = np.interp(min(capacity, growth * returned), found.pools, ahead)
                        chance = play[second] * play[third]
                        q[own] += chance * (offer * (1 - found.fractions[own]) + then)
            logits = np.exp(level * (q - q.max()))
            assert play == pytest.approx(logits / logits.sum(), abs=1e-8)
            assert found.values[t, k, 0] == pytest.approx(np.log(np.exp(level * q).mean()) / level, abs=1e-8)
        ahead = found.values[t, :, 0]


def test_at_inverse_temperature_zero_returns_are_uniform_and_payoffs_are_those_of_play():
    game = make_game("commons_trust", n_rounds=6, integer_returns=False)
    found = solved(game, 0.0, n_pools=401)
    assert found.strategies == pytest.approx(np.full(found.strategies.shape, 1 / 11))
    batch, rng = 40_000, np.random.default_rng(0)

    class Elevenths:
        def initial_state(self, batch, rng):
            return None

        def distribution(self, obs, mask, state):
            raise NotImplementedError

        def act(self, obs, mask, state, rng):
            return rng.integers(0, 11, (*obs.shape[:2], 1)) / 10, state

    policies = {"mechanism": make_policy(game, "mechanism", "equal_offers"), "participant": Elevenths()}
    *_, last = rollout(game, policies, game.initial_state(batch, rng), rng)
    kept = last.after.kept.mean(axis=1)
    error = kept.std() / batch**0.5
    assert found.kept(200.0) == pytest.approx(kept.mean(), abs=4 * error)


def test_the_rational_return_nothing_and_the_bounded_keep_more_in_all():
    game = make_game("commons_trust")
    sharp = solved(game, 5.0).kept(200.0) / game.n_rounds
    assert sharp == pytest.approx(1.25, abs=1e-6)  # the closed form of the selfish
    assert (solved(game, 0.01).kept(200.0) > solved(game, 0.1).kept(200.0)).all()


def test_the_solution_converges_as_the_grid_of_pools_is_refined():
    game = make_game("commons_trust")
    kept = [solved(game, 0.1, n_pools=k).kept(200.0)[0] for k in (26, 51, 101, 201)]
    steps = np.abs(np.diff(kept))
    assert (steps[1:] < steps[:-1] / 2.5).all()  # a fourth, where V has no kinks
    assert steps[-1] < 1e-2


def test_a_chance_of_another_round_discounts():
    certain = make_game("commons_trust", n_rounds=3)
    never = replace(certain, continuation=0.0)
    often = replace(certain, continuation=0.9, min_rounds=2)
    one = solved(replace(certain, n_rounds=1), 0.05)
    assert solved(never, 0.05).values[0] == pytest.approx(one.values[0])
    kept = [solved(game, 0.05).kept(200.0)[0] for game in (never, often, certain)]
    assert kept[0] < kept[1] < kept[2]


def test_unequal_offers_and_what_is_held_back():
    """Announced or sent, a fixed offer is the same; seats with equal offers play alike."""
    game = make_game("commons_trust", n=3, n_rounds=4, capacity=30.0, first_pool=30.0)
    found = solve(game, make_policy(game, "mechanism", "random"), 0.1)
    assert isinstance(found, NoSolution) and "at random" in found.reason

    class Third:
        """Offers 2, 1 and 1 tenths of the pool, and holds back the rest."""

        def initial_state(self, batch, rng):
            return None

        def distribution(self, obs, mask, state):
            offers = obs[..., -1:] * np.array([0.2, 0.1, 0.1])
            return np.stack([offers, 0 * offers], axis=-2), state

        def act(self, obs, mask, state, rng):
            return self.distribution(obs, mask, state)[0][:, :, 0], state

    found = solve(game, Third(), 0.1, n_fractions=6)
    assert isinstance(found, BoundedPlay) and found.residual <= 1e-9
    assert found.offers[-1] == pytest.approx([6, 3, 3])
    assert found.strategies[:, :, 1] == pytest.approx(found.strategies[:, :, 2])
    assert found.payoffs[0, -1, 0] > found.payoffs[0, -1, 1]


def test_announced_rules_are_solved_like_sent_ones():
    params = {"n": 2, "n_rounds": 4, "continuation": 0.5, "min_rounds": 2}
    sent = solved(make_game("commons_trust", **params), 0.1)
    for every in ("round", "game"):
        announced = make_game("commons_trust", **params, mechanism_mode="announce", announce_every=every)
        assert solved(announced, 0.1).payoffs == pytest.approx(sent.payoffs)


def test_what_cannot_be_solved_says_why():
    game = make_game("commons_trust")
    mixed, equal = (make_policy(game, "mechanism", name) for name in ("mixed_offers", "equal_offers"))
    assert "last round" in solve(game, mixed, 0.1).reason
    assert "take fewer pools or fractions" in solve(game, equal, 0.1, n_fractions=60).reason
    for level in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ParameterError, match="inverse_temperature"):
            solve(game, equal, level)
    for sizes in ({"n_pools": 1}, {"n_fractions": 1}):
        with pytest.raises(ParameterError, match=r"allowed: an integer >= 2"):
            solve(game, equal, 0.1, **sizes)
