"""The simulated people, the held-out population and their voters: contract, calibration, gradients, memory, votes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from lawgiver.agents.people import fitted_traits, population_hash, simulated_people
from lawgiver.agents.people.public_investment import Traits
from lawgiver.agents.voters import SENSITIVITY, experience, inequity_averse, random
from lawgiver.envs.core.arrays import map_arrays
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.registry import lookup, names
from lawgiver.envs.election.experience import experience_layout
from lawgiver.trainers.calibration.public_investment import (
    BOUNDS,
    cell_errors,
    fit,
    human_contributions,
    simulated_contributions,
    trends,
)

GAME = make_game("public_investment", endowments=((10, 2, 2, 2), (10, 4, 4, 4), (10, 10, 10, 10)))
POPULATIONS = ("simulated_people", "learning_automata")
AT = columns(GAME.observation_layout("participant"))


def played(policy, n_rounds=3, batch=6, seed=0, rule="liberal_egalitarian"):
    """Return the state after some rounds, and the memory with which the last of them was played."""
    rng = np.random.default_rng(seed)
    state, memory = GAME.initial_state(batch, rng), policy.initial_state(batch, rng)
    mechanism = make_policy(GAME, "mechanism", rule)
    for _ in range(n_rounds):
        actions, memory = policy.act(GAME.observe(state, "participant"), state.legal, memory, rng)
        state, *_ = GAME.step(state, actions, {})
        weights, _ = mechanism.outcome(GAME.observe(state, "mechanism"), None, None, rng)
        state, *_ = GAME.advance(state, weights, {})
    return state, memory


@pytest.mark.parametrize("name", POPULATIONS)
def test_log_probabilities_are_normalised_over_the_legal_contributions(name):
    policy = make_policy(GAME, "participant", name)
    for n_rounds in (0, 1, 4):
        state, memory = played(policy, n_rounds)
        log_probabilities, _ = policy.distribution(GAME.observe(state, "participant"), state.legal, memory)
        assert log_probabilities.shape == (6, 4, 11)
        assert ((log_probabilities > -np.inf) == state.legal).all()
        assert np.exp(log_probabilities).sum(-1) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", POPULATIONS)
def test_numpy_and_torch_agree(name):
    policy = make_policy(GAME, "participant", name)
    state, memory = played(policy)
    obs = GAME.observe(state, "participant")
    on_numpy, after = policy.distribution(obs, state.legal, memory)
    on_torch, torch_after = policy.distribution(
        torch.as_tensor(obs), torch.as_tensor(state.legal), map_arrays(torch.tensor, memory)
    )
    np.testing.assert_allclose(on_torch.numpy(), on_numpy, atol=1e-9)
    map_arrays(lambda a, b: np.testing.assert_allclose(b.numpy(), a, atol=1e-9), after, torch_after)
    drawn = policy.initial_state(5, torch.Generator().manual_seed(3))
    again = policy.initial_state(5, torch.Generator().manual_seed(3))
    map_arrays(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0), drawn, again)


@pytest.mark.parametrize("name", POPULATIONS)
def test_gradients_reach_the_payouts_of_every_past_round(name):
    """Log-probabilities of round 3 by the payouts of rounds 1 and 2, against central differences."""
    policy = make_policy(GAME, "participant", name)
    state, memory = played(policy, 0, batch=3)
    first, legal = torch.as_tensor(GAME.observe(state, "participant")), torch.as_tensor(state.legal)
    rng = np.random.default_rng(5)
    given = [torch.as_tensor(np.floor(rng.random((3, 4)) * (state.endowments + 1))) for _ in range(2)]
    weights = torch.as_tensor(rng.dirichlet(np.ones(4), (2, 3)))
    chosen = torch.as_tensor(rng.random((3, 4, 11)))

    def score(payouts):
        people = map_arrays(torch.tensor, memory)
        now = replace(map_arrays(torch.tensor, state), legal=legal)
        _, people = policy.distribution(first, legal, people)
        for t in range(2):
            now = replace(now, contributions=given[t], payouts=payouts[t], round=now.round + 1)
            log_probabilities, people = policy.distribution(GAME.observe(now, "participant"), legal, people)
        return torch.where(legal, log_probabilities * chosen, 0.0).sum()

    payouts = weights * 1.6 * torch.stack([c.sum(-1, keepdim=True) for c in given])
    assert torch.autograd.gradcheck(score, payouts.clone().requires_grad_(), eps=1e-6, atol=1e-5, rtol=1e-5)
    wanted = payouts.clone().requires_grad_()
    score(wanted).backward()
    assert (wanted.grad.abs().amax((1, 2)) > 1e-3).all()


def test_people_contribute_like_the_humans_they_were_fitted_to():
    human = human_contributions()
    simulated = simulated_contributions(simulated_people(GAME), 1500, seed=99)
    errors, slopes, expected = cell_errors(simulated, human), trends(simulated, human), trends(human, human)
    assert np.abs(errors).mean() <= 0.05
    assert (slopes[0] < -0.01).all()  # strict egalitarian: falling
    assert (slopes[1] > 0.005).all()  # libertarian: rising
    assert (slopes[2] > -0.015).all()  # liberal egalitarian: the humans' own heads of poor tails fall by 0.01
    assert (np.sign(slopes) == np.sign(expected)).all()


def test_contributions_are_drawn_from_the_distribution_and_repeat_with_the_seed():
    people = make_policy(GAME, "participant", "simulated_people")
    a, b, other = (played(people, seed=seed)[0].contributions for seed in (1, 1, 2))
    assert (a == b).all()
    assert (a != other).any()
    twice = [simulated_contributions(people, 50, seed=4) for _ in range(2)]
    assert (twice[0] == twice[1]).all()


def test_the_fit_repeats_itself_and_keeps_its_bounds():
    few = {"generations": 1, "refinements": 15, "n_groups": 2}
    found = fit(("libertarian",), **few)
    assert found == fit(("libertarian",), **few)
    assert all(low <= getattr(found, name) <= high for name, (low, high) in BOUNDS.items())


@pytest.mark.parametrize("name", POPULATIONS)
def test_people_stay_who_they_are_in_another_game_and_remember_a_part(name):
    policy = make_policy(GAME, "participant", name)
    state, memory = played(policy, 8)
    begins = policy.next_game(memory)
    fresh = policy.initial_state(6, np.random.default_rng(0))
    obs = GAME.observe(GAME.initial_state_from(state.endowments), "participant")
    kept = "attitude" if name == "simulated_people" else "initial"
    assert (getattr(begins, kept) == getattr(memory, kept)).all()
    assert (getattr(begins, kept) != getattr(fresh, kept)).any()
    then, _ = policy.distribution(obs, state.legal, begins)
    unlearned = make_policy(GAME, "participant", {"policy": name, "carry": 0.0}).next_game(memory)
    without, _ = policy.distribution(obs, state.legal, unlearned)
    difference = np.abs(np.exp(then) - np.exp(without)).sum(-1)
    assert difference.mean() > 0.02
    if name == "simulated_people":
        clean = replace(memory, evidence=0 * memory.evidence)
        np.testing.assert_allclose(np.exp(without), np.exp(policy.distribution(obs, state.legal, clean)[0]))


def test_giving_that_pays_is_learned_and_giving_that_does_not_is_unlearned():
    people = simulated_people(GAME)
    beliefs = {
        rule: people.believed_return(played(people, 8, 200, rule=rule)[1].evidence)
        for rule in ("strict_egalitarian", "libertarian")
    }
    assert 0.3 < np.median(beliefs["strict_egalitarian"]) < 0.9  # 0.4 to somebody who changes alone
    assert 1.2 < np.median(beliefs["libertarian"]) <= 1.6


def test_bad_traits_and_games_are_refused_by_name():
    make = partial(make_policy, GAME, "participant")
    with pytest.raises(ParameterError, match=r"no parameter 'respons': did you mean 'response'"):
        make("simulated_people", respons=1.0)
    for name, bad in (("noise", 0.0), ("lapse", 0.0), ("carry", -0.1), ("doubt", float("nan")), ("spread", "wide")):
        with pytest.raises(ParameterError, match=f"{name} is "):
            make("simulated_people", **{name: bad})
    for name, bad in (("rate", 0.6), ("habituation", 2.0), ("carry", True)):
        with pytest.raises(ParameterError, match=f"{name} is "):
            make("learning_automata", **{name: bad})
    for name in ("sensitivity", "fairness"):
        with pytest.raises(ParameterError, match=f"{name} is "):
            experience(GAME, **{name: -1.0})
    blind = make_game("public_investment", mechanism_mode="announce", participant_observation="rule")
    for name in POPULATIONS:
        with pytest.raises(UnsupportedGameError, match="payouts"):
            make_policy(blind, "participant", name)


def test_people_also_live_under_announced_rules():
    game = make_game("public_investment", mechanism_mode="announce")
    rng = np.random.default_rng(0)
    for name in POPULATIONS:
        people = make_policy(game, "participant", name)
        state = game.initial_state(4, rng)
        actions, _ = people.act(game.observe(state, "participant"), state.legal, people.initial_state(4, rng), rng)
        assert (actions <= state.endowments).all()


def test_the_hash_tells_populations_apart_and_nothing_else():
    people, voter = simulated_people(GAME), experience(GAME)
    assert population_hash(people, voter) == population_hash(simulated_people(GAME), experience(GAME))
    assert len(population_hash(people, voter)) == 64
    changed = simulated_people(GAME, noise=fitted_traits(GAME.name)["noise"] + 1e-9)
    others = (changed, voter), (people, experience(GAME, fairness=3.0)), (people,)
    assert len({population_hash(people, voter), *(population_hash(*members) for members in others)}) == 4
    assert set(fitted_traits(GAME.name)) == set(Traits.__dataclass_fields__)
    with pytest.raises(ParameterError, match="no settings"):
        population_hash(make_policy(GAME, "participant", "random"))


# -- voters ---------------------------------------------------------------------------------------------------------


def lived(batch=5, k=2, n_rounds=10, seed=0):
    """Return experience (B, n, k, T, f) of random play, consistent in the fields that voters read."""
    rng = np.random.default_rng(seed)
    found = columns(experience_layout(GAME))
    seen = np.zeros((batch, 4, k, n_rounds, found["played"].stop))
    seen[..., found["played"]] = 1
    endowments = np.array([10.0, 4, 4, 4])
    payoffs = rng.random((batch, k, n_rounds, 4)) * endowments * 1.6
    for seat in range(4):
        order = [seat, *(other for other in range(4) if other != seat)]
        seen[:, seat, ..., found["own_endowment"]] = endowments[seat]
        seen[:, seat, ..., found["payoffs"]] = payoffs[..., order]
    return seen, found


def test_voters_are_found_by_name():
    assert names("lawgiver.voters") == ["experience", "inequity_averse", "random"]
    assert lookup("lawgiver.voters", "experience") is experience
    assert lookup("lawgiver.voters", "inequity_averse") is inequity_averse


@pytest.mark.parametrize("k", [2, 3])
def test_who_lived_the_same_under_all_votes_for_each_alike(k):
    seen, _ = lived(k=1)
    same = np.repeat(seen, k, axis=2)
    for voter in (experience(GAME), inequity_averse(GAME), random(GAME)):
        np.testing.assert_allclose(voter.log_probabilities(same), np.full((5, 4, k), -np.log(k)), atol=1e-12)
    drawn, _ = lived(k=k)
    np.testing.assert_allclose(random(GAME).log_probabilities(drawn), -np.log(k))
    for voter in (experience(GAME), inequity_averse(GAME)):
        np.testing.assert_allclose(np.exp(voter.log_probabilities(drawn)).sum(-1), 1)


@pytest.mark.parametrize("sensitivity", SENSITIVITY.values())
def test_votes_rise_with_own_payoff_and_with_own_share(sensitivity):
    seen, found = lived()
    voter = experience(GAME, sensitivity=sensitivity)
    before = voter.log_probabilities(seen)[..., 1]
    own, others = found["payoffs"].start, slice(found["payoffs"].start + 1, found["payoffs"].stop)
    richer, envied = seen.copy(), seen.copy()
    richer[:, :, 1, 4, own] += 1.0
    envied[:, :, 1, 4, others] += 1.0
    assert (voter.log_probabilities(richer)[..., 1] > before).all()
    assert (voter.log_probabilities(envied)[..., 1] < before).all()


def test_a_tenth_more_brings_the_votes_that_the_sensitivities_are_named_for():
    seen, found = lived(batch=1)
    seen[..., found["payoffs"]] = 0
    own = found["payoffs"].start
    seen[:, :, 0, :, own] = 1.4 * seen[:, :, 0, :, found["own_endowment"].start]
    seen[:, :, 1, :, own] = 1.1 * seen[:, :, 0, :, own]
    votes = [np.exp(experience(GAME, sensitivity=s).log_probabilities(seen))[0, :, 1] for s in SENSITIVITY.values()]
    np.testing.assert_allclose(votes, np.repeat([[0.57], [0.70], [0.93]], 4, axis=1), atol=0.005)


VOTERS = [experience(GAME), inequity_averse(GAME)]


@pytest.mark.parametrize("voter", VOTERS)
def test_permuting_tails_permutes_their_votes(voter):
    seen, found = lived()
    order = [0, 3, 1, 2]
    moved = seen[:, order]
    np.testing.assert_allclose(voter.log_probabilities(moved), voter.log_probabilities(seen)[:, order])
    payoffs = found["payoffs"]
    shuffled = seen.copy()
    shuffled[..., payoffs] = seen[..., payoffs][..., [0, 3, 1, 2]]  # in which order the others are seen is the same
    np.testing.assert_allclose(voter.log_probabilities(shuffled), voter.log_probabilities(seen))


@pytest.mark.parametrize("voter", VOTERS)
def test_votes_are_the_same_on_torch_and_differentiable(voter):
    seen, _ = lived(batch=2, n_rounds=2)
    given = torch.as_tensor(seen)
    np.testing.assert_allclose(voter.log_probabilities(given).numpy(), voter.log_probabilities(seen), atol=1e-12)
    payoffs = given[..., columns(experience_layout(GAME))["payoffs"]].clone().requires_grad_()
    at = columns(experience_layout(GAME))["payoffs"]

    def score(paid):
        whole = torch.cat([given[..., : at.start], paid, given[..., at.stop :]], -1)
        return voter.log_probabilities(whole)[..., 0].sum()

    assert torch.autograd.gradcheck(score, payoffs)


def test_games_without_endowments_have_voters_too():
    game = make_game("taxed_dilemma")
    found = columns(experience_layout(game))
    seen = np.zeros((3, game.roles["participant"], 2, 5, found["played"].stop))
    seen[..., found["played"]] = 1
    seen[:, :, 0, :, found["payoffs"].start] = 1.0
    for voter in (experience(game), inequity_averse(game)):
        assert (np.exp(voter.log_probabilities(seen))[..., 0] > 0.5).all()


# -- voters who dislike inequity ------------------------------------------------------------------------------------


def paid(first, second):
    """Return experience (1, 4, 2, T, f) of one group: payoffs (T, 4) by seat under each of two mechanisms."""
    payoffs = np.array([first, second], float)
    seen, found = lived(batch=1, n_rounds=payoffs.shape[1])
    for seat in range(4):
        order = [seat, *(other for other in range(4) if other != seat)]
        seen[0, seat, ..., found["payoffs"]] = payoffs[..., order]
    return seen, found


def second_by_seat(voter, seen):
    return np.exp(voter.log_probabilities(seen))[0, :, 1]


def test_remembered_utility_is_the_formula():
    seen, found = lived(batch=1, n_rounds=3)
    sensitivity, decay, envy, guilt = 3.0, 0.5, 1.0, 0.25
    utility = np.zeros((4, 2))
    unit = np.abs(seen[0, 0, ..., found["payoffs"]]).mean()
    for seat, game in np.ndindex(4, 2):
        for ago, x in enumerate(reversed(seen[0, seat, game, :, found["payoffs"]])):
            behind, ahead = (np.maximum(sign * (x[1:] - x[0]), 0).sum() / 3 for sign in (1, -1))
            utility[seat, game] += decay**ago / (1 + 0.5 + 0.25) * (x[0] - envy * behind - guilt * ahead) / unit
    weights = np.exp(sensitivity * utility)
    voter = inequity_averse(GAME, sensitivity=sensitivity, decay=decay, envy=envy, guilt=guilt)
    expected = weights / weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(np.exp(voter.log_probabilities(seen))[0], expected, rtol=1e-12)


def test_a_tenth_more_for_everybody_brings_the_votes_that_its_sensitivity_says():
    seen, _ = paid([[5, 5, 5, 5]] * 10, [[5.5, 5.5, 5.5, 5.5]] * 10)
    np.testing.assert_allclose(second_by_seat(inequity_averse(GAME), seen), 0.68, atol=0.005)


def test_own_payoff_envy_guilt_and_recency_move_votes_the_right_way():
    seen, found = lived(batch=50)
    voter = inequity_averse(GAME)
    before = voter.log_probabilities(seen)[..., 1]
    richer = seen.copy()
    richer[:, :, 1, -1, found["payoffs"].start] += 1.0
    assert (voter.log_probabilities(richer)[..., 1] > before).all()

    even, uneven = [[5.0, 5, 5, 5]] * 10, [[5.0, 8, 8, 8]] * 10
    behind, _ = paid(even, uneven)
    assert second_by_seat(inequity_averse(GAME, envy=0, guilt=0), behind)[0] == pytest.approx(0.5)
    envious = [second_by_seat(inequity_averse(GAME, envy=envy), behind)[0] for envy in (0.5, 1, 4)]
    assert 0.5 > envious[0] > envious[1] > envious[2]
    ahead, _ = paid(even, [[5.0, 2, 2, 2]] * 10)
    guilty = [second_by_seat(inequity_averse(GAME, guilt=guilt), ahead)[0] for guilt in (0, 0.25, 0.6)]
    assert guilty[0] == pytest.approx(0.5) and guilty[0] > guilty[1] > guilty[2]

    rising = np.repeat(np.linspace(1, 9, 9)[:, None], 4, axis=1)
    seen, _ = paid(rising[::-1], rising)
    fading = [second_by_seat(inequity_averse(GAME, decay=decay), seen)[0] for decay in (1.0, 0.9, 0.5)]
    assert fading[0] == pytest.approx(0.5) and fading[0] < fading[1] < fading[2], "the same payoffs, but better last"


def test_rounds_that_were_not_played_do_not_count():
    seen, found = lived(n_rounds=4)
    longer = np.concatenate([seen, np.zeros_like(seen)], axis=3)
    voter = inequity_averse(GAME)
    np.testing.assert_allclose(voter.log_probabilities(longer), voter.log_probabilities(seen))
    unequal = seen.copy()
    unequal[:, :, 1, 2:] = 0
    shorter = voter.log_probabilities(unequal)
    unequal[:, :, 1, 2:, found["payoffs"]] = 99.0
    np.testing.assert_allclose(voter.log_probabilities(unequal), shorter)
    np.testing.assert_allclose(voter.log_probabilities(np.zeros_like(seen)), -np.log(2))


@pytest.mark.parametrize(
    ("given", "message"),
    [({"sensitivity": -1}, "sensitivity"), ({"decay": 0}, "decay"), ({"envy": -1}, "envy"), ({"guilt": 1}, "guilt")],
)
def test_parameters_of_inequity_aversion_are_checked(given, message):
    with pytest.raises(ParameterError, match=message):
        inequity_averse(GAME, **given)
    assert inequity_averse(GAME).settings["voter"] == "inequity_averse"
