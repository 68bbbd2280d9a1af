"""The people and the automata of the common-pool trust game: contract, behaviour, gradients, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from lawgiver.agents.learning_automata.commons_trust import CommonsAutomata
from lawgiver.agents.people import fitted_traits, population_hash, simulated_people
from lawgiver.agents.people.commons_trust import INTERVALS, CommonsMemory, CommonsPeople, Traits
from lawgiver.agents.population import Trustees
from lawgiver.agents.returned_fractions import EVERYTHING, NOTHING, ReturnedFraction
from lawgiver.envs.core.arrays import map_arrays
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.calibration.commons_trust import (
    BOUNDS,
    GAME,
    MEASURES,
    RULES,
    START,
    fit,
    human_figures,
    loss,
    simulate,
)

POPULATIONS = ("simulated_people", "learning_automata")
SETTINGS = {"points": GAME, "fractions": make_game("commons_trust", integer_returns=False)}
AT = columns(GAME.observation_layout("participant"))


def played(policy, game=GAME, n_rounds=3, batch=40, seed=0, rule="mixed_offers"):
    """Return the state in which participants act after some rounds, and their memory."""
    rng = np.random.default_rng(seed)
    state, memory = game.initial_state(batch, rng), policy.initial_state(batch, rng)
    mechanism = make_policy(game, "mechanism", rule)
    for t in range(n_rounds + 1):
        offers, _ = mechanism.act(game.observe(state, "mechanism"), None, None, rng)
        state, *_ = game.step(state, offers, {})
        if t < n_rounds:
            mask = game.legal_actions(state, "participant")
            actions, memory = policy.act(game.observe(state, "participant"), mask, memory, rng)
            state, *_ = game.step(state, actions, {})
    return state, memory


# -- the contract ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", POPULATIONS)
@pytest.mark.parametrize("n_rounds", [0, 1, 12])
def test_returns_are_whole_points_of_the_offer(name, n_rounds):
    policy = make_policy(GAME, "participant", name)
    state, memory = played(policy, n_rounds=n_rounds, rule="proportional_offers")
    obs, legal = GAME.observe(state, "participant"), GAME.legal_actions(state, "participant")
    for mask in (legal, None):
        logs, _ = policy.distribution(obs, mask, memory)
        assert logs.shape == (40, 4, 201)
        assert ((logs > -np.inf) == legal).all()
        assert np.exp(logs).sum(-1) == pytest.approx(1, abs=1e-12)
        actions, _ = policy.act(obs, mask, memory, np.random.default_rng(1))
        assert np.issubdtype(actions.dtype, np.integer)
        assert np.take_along_axis(legal, actions[..., None], axis=-1).all()
    excluded = state.offers < 1
    assert excluded.any() == (n_rounds > 0)
    assert np.exp(logs)[excluded][:, 0] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("name", POPULATIONS)
def test_on_the_continuum_fractions_have_the_moments(name):
    game = SETTINGS["fractions"]
    policy = make_policy(game, "participant", name)
    state, memory = played(policy, game)
    obs = game.observe(state, "participant")
    moments, after = policy.distribution(obs, None, memory)
    assert moments.shape == (40, 4, 2, 1)
    rng = np.random.default_rng(3)
    drawn = np.stack([policy.act(obs, None, memory, rng)[0] for _ in range(4000)])
    assert ((drawn >= 0) & (drawn <= 1)).all()
    error = moments[..., 1, :] / np.sqrt(4000)
    assert (np.abs(drawn.mean(0) - moments[..., 0, :]) <= 5 * error).all()
    map_arrays(np.testing.assert_array_equal, after, policy.act(obs, None, memory, rng)[1])


@pytest.mark.parametrize("name", POPULATIONS)
def test_whole_points_are_drawn_from_the_distribution(name):
    """The mean of 4,000 draws of each of 160 people, within 5 of its standard errors."""
    policy = make_policy(GAME, "participant", name)
    state, memory = played(policy)
    obs = GAME.observe(state, "participant")
    probabilities = np.exp(policy.distribution(obs, None, memory)[0])
    points = np.arange(201)
    mean = probabilities @ points
    error = np.sqrt((probabilities @ points**2 - mean**2) / 4000)
    rng = np.random.default_rng(4)
    drawn = np.stack([policy.act(obs, None, memory, rng)[0] for _ in range(4000)])
    assert (np.abs(drawn.mean(0) - mean) <= 5 * error + 1e-12).all()


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", POPULATIONS)
def test_numpy_and_torch_agree(name, setting):
    game = SETTINGS[setting]
    policy = make_policy(game, "participant", name)
    state, memory = played(policy, game, n_rounds=5)
    obs, mask = game.observe(state, "participant"), game.legal_actions(state, "participant")
    on_numpy, after = policy.distribution(obs, mask, memory)
    on_torch, torch_after = policy.distribution(
        torch.as_tensor(obs), None if mask is None else torch.as_tensor(mask), map_arrays(torch.tensor, memory)
    )
    np.testing.assert_allclose(on_torch.numpy(), on_numpy, atol=1e-9)
    map_arrays(lambda a, b: np.testing.assert_allclose(b.numpy(), a, atol=1e-9), after, torch_after)
    drawn = [policy.initial_state(5, torch.Generator().manual_seed(3)) for _ in range(2)]
    map_arrays(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=0), *drawn)


@pytest.mark.parametrize("name", POPULATIONS)
def test_they_play_in_float32_and_under_announced_rules(name):
    game = make_game("commons_trust", mechanism_mode="announce", n=3, capacity=60, first_pool=50)
    policy, rng = make_policy(game, "participant", name), torch.Generator().manual_seed(0)
    state, memory = game.initial_state(7, rng), policy.initial_state(7, rng)
    rule = torch.tensor(game.members["proportional_offers"]).expand(7, 1, 3)
    for _ in range(6):
        state, *_ = game.step(state, rule, {})
        mask = game.legal_actions(state, "participant")
        actions, memory = policy.act(game.observe(state, "participant"), mask, memory, rng)
        assert torch.take_along_dim(mask, actions[..., None], -1).all()
        state, *_ = game.step(state, actions, {})


# -- what the people do ---------------------------------------------------------------------------------------------


def expected(obs, evidence=(0.0, 0.0), **traits):
    """Return the expected fraction of the first of four people of average character."""
    people = simulated_people(SETTINGS["fractions"], **traits)
    of = people.traits
    average = (of.propensity, of.conformity, of.response)
    memory = CommonsMemory(*(value * np.ones((1, 4)) for value in average), evidence * np.ones((1, 4, 1)))
    return people.distribution(obs, None, memory)[0][0, 0, 0, 0]


def seen(offers=(50, 50, 50, 50), returns=(25, 25, 25, 25), last_offers=(50, 50, 50, 50), pool=200.0):
    """Return what the first person observes, for all four."""
    return np.tile(np.concatenate([offers, returns, last_offers, [pool]]).astype(float), (1, 4, 1))


def test_people_follow_the_others():
    generous, stingy = seen(returns=(25, 50, 50, 50)), seen(returns=(25, 0, 0, 0))
    assert expected(generous) > expected(seen()) > expected(stingy)
    assert expected(generous, conformity=0.0) == pytest.approx(expected(stingy, conformity=0.0))


def test_others_who_could_return_nothing_are_no_example():
    alone = seen(returns=(25, 0, 0, 0), last_offers=(199.8, 0.1, 0.0, 0.1))
    assert expected(alone) == pytest.approx(expected(alone, conformity=0.0))


def test_people_learn_how_far_offers_follow_returns():
    """By the formula; under proportional offers the slope is one over the mean fraction, under equal ones it is 0."""
    people = simulated_people(GAME, doubt=1e-9, recency=0.5)
    returned, past = np.array([10.0, 20, 30, 40]), np.full(4, 50.0)
    before = people.initial_state(1, np.random.default_rng(0))
    slopes = {}
    for rule, offers in (("proportional", 2 * returned), ("equal", past), ("reversed", 100 - 2 * returned)):
        _, memory = people.fractions(seen(offers, returned, past), before)
        slopes[rule] = people.believed_return(memory.evidence)
    np.testing.assert_allclose(slopes["proportional"], 1 / 0.5, rtol=1e-6)
    np.testing.assert_allclose(slopes["equal"], 0, atol=1e-12)
    assert (slopes["reversed"] < -1).all()
    x, y = returned / 50 - 0.5, np.array([-0.6, -0.2, 0.2, 0.6])
    _, first = people.fractions(seen(2 * returned, returned, past), before)
    _, second = people.fractions(seen(2 * returned, returned, past), first)
    np.testing.assert_allclose(second.evidence[0, 0], 1.5 * np.array([x @ x, x @ y]))


def test_who_was_left_out_is_no_evidence():
    people = simulated_people(GAME)
    before = people.initial_state(1, np.random.default_rng(0))
    _, three = people.fractions(seen((40, 60, 80, 20), (20, 30, 40, 0), (50, 50, 50, 0.5)), before)
    x, y = np.array([0.4, 0.6, 0.8]) - 0.6, np.array([-0.2, 0.2, 0.6])
    np.testing.assert_allclose(three.evidence[0, 0], [x @ x, x @ y])


def test_returns_rise_with_what_returning_is_believed_to_bring():
    higher, none, lower = (expected(seen(), (1.0, xy), response=0.3) for xy in (1.5, 0.0, -1.5))
    assert higher > none + 0.05 > lower + 0.1
    assert expected(seen(), (1.0, 1.5), response=0.0) == pytest.approx(none)


@pytest.mark.parametrize("name", POPULATIONS)
def test_arbitrary_inequality_brings_no_returns(name):
    """Offers that take turns, three times as much for two of four, bring no more surplus than equal ones do."""
    people, rng = make_policy(GAME, "participant", name), np.random.default_rng(6)
    state, memory = GAME.initial_state(1000, rng), people.initial_state(1000, rng)
    for t in range(GAME.n_rounds):
        shares = np.roll([0.375, 0.375, 0.125, 0.125], 2 * (t % 2))
        state, *_ = GAME.advance(state, state.pool[:, None] * shares, {})
        returns, memory = people.act(GAME.observe(state, "participant"), None, memory, rng)
        state, *_ = GAME.step(state, returns, {})
    kept = state.kept.mean(-1) / GAME.n_rounds
    equal = simulate(people, 1000, seed=6, rules=RULES[:1]).surplus
    error = np.sqrt((kept.var() + equal.var()) / 1000)
    assert kept.mean() - equal.mean() + 4 * error < human_figures()[1][0, 0]


def test_selfish_people_are_as_frequent_as_the_trait_says():
    people = simulated_people(GAME, selfish=0.25, propensity=0.6, spread=0.1)
    drawn = people.initial_state(5000, np.random.default_rng(2))
    selfish = drawn.inclination == 0
    assert abs(selfish.mean() - 0.25) <= 4 * np.sqrt(0.25 * 0.75 / 20_000)
    assert (drawn.conformity[selfish] == 0).all()
    willing = drawn.inclination[~selfish]
    assert willing.min() >= 0.5 and willing.max() <= 0.7


def test_automata_unlearn_what_leaves_them_out():
    """Of automata who are offered nothing after they returned nothing, and plenty after they returned everything."""
    automata = make_policy(GAME, "participant", "learning_automata")
    memory = automata.initial_state(400, np.random.default_rng(0))
    before = memory.levels.mean((0, 1))
    kept, given = (0.0, 50.0, 50.0, 50.0), (50.0, 0.0, 0.0, 0.0)
    punished = seen(offers=(0, 60, 60, 60), returns=kept)
    rewarded = seen(offers=(140, 20, 20, 20), returns=given)
    for obs in (punished, rewarded):
        _, memory = automata.fractions(np.repeat(obs, 400, axis=0), memory)
    after = memory.levels[:, 0].mean(0)
    assert after[0] < before[0] - 0.02
    assert after[-1] > before[-1] + 0.02


@pytest.mark.parametrize("name", POPULATIONS)
def test_people_stay_who_they_are_in_another_game(name):
    policy = make_policy(GAME, "participant", name)
    _, memory = played(policy, n_rounds=8)
    again = policy.next_game(memory)
    kept = "inclination" if name == "simulated_people" else "initial"
    assert (getattr(again, kept) == getattr(memory, kept)).all()
    if name == "simulated_people":
        assert (memory.evidence[..., 0] > 0).all() and (again.evidence == 0).all()
    else:
        np.testing.assert_allclose(again.levels, (memory.levels + memory.initial) / 2)


# -- gradients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", POPULATIONS)
def test_gradients_reach_the_offers_of_every_round(name):
    """The log-density of the third round's fractions by the offers of all rounds, against central differences."""
    game = SETTINGS["fractions"]
    policy = make_policy(game, "participant", name)
    rng = np.random.default_rng(5)
    drawn = policy.initial_state(3, rng)
    given = torch.as_tensor(rng.uniform(0.05, 0.95, (3, 3, 4)))

    def score(offers):
        people, state = map_arrays(torch.tensor, drawn), game.initial_state_from(torch.full((3,), 190.0).double())
        found = 0.0
        for t in range(3):
            state, *_ = game.step(state, offers[t][:, None], {})
            mixture, people = policy.fractions(game.observe(state, "participant"), people)
            found = found + mixture.log_density(given[t]).sum()
            state, *_ = game.step(state, given[t][..., None], {})
        return found

    offers = torch.as_tensor(rng.uniform(5, 30, (3, 3, 4))).requires_grad_()
    assert torch.autograd.gradcheck(score, offers, eps=1e-6, atol=1e-5, rtol=1e-5)
    score(offers).backward()
    assert (offers.grad.abs().amax((1, 2)) > 1e-4).all()


# -- calibration ----------------------------------------------------------------------------------------------------


@dataclass
class Fixed(Trustees[None]):
    """People who all return nothing, or everything."""

    column: int

    def __post_init__(self):
        super().__init__(GAME)

    def initial_state(self, batch, rng):
        return None

    def fractions(self, obs, state):
        shape = obs.shape[:2]
        return ReturnedFraction(
            np.eye(4)[self.column] * np.ones((*shape, 1)), np.ones((*shape, 1)), np.ones((*shape, 1))
        ), state


def test_simulated_figures_of_people_without_choice():
    takers, givers = simulate(Fixed(NOTHING), 3, seed=0), simulate(Fixed(EVERYTHING), 3, seed=0)
    np.testing.assert_allclose(takers.surplus, 200 / (4 * 40))
    assert not takers.sustained.any() and (takers.excluded[..., 1:] == 1).all()
    assert (givers.surplus == 0).all() and (givers.pool == 200).all() and (givers.returned == 1).all()
    assert (takers.gini == 0).all() and (givers.gini == 0).all()


def test_people_play_like_the_humans_they_were_fitted_to():
    """On 4,000 fresh groups a rule, all nine figures are within the bars by at least 4 of their standard errors."""
    found, errors = simulate(simulated_people(GAME), 4000, seed=99).measures()
    human, bars = human_figures()
    assert (np.abs(found - human) + 4 * errors <= bars).all()
    surplus, unequal, sustained = found.T
    assert (np.diff(surplus) > 0).all() and (np.diff(sustained) > 0).all()
    assert unequal.argmin() == RULES.index("mixed_offers") and unequal.argmax() == RULES.index("proportional_offers")


def test_the_bars_would_notice_another_population():
    human, bars = human_figures()
    for changed in ({"selfish": 0.5}, {"propensity": 0.9}, {"response": 0.0}):
        found, errors = simulate(simulated_people(GAME, **changed), 500, seed=99).measures()
        assert (np.abs(found - human) - 4 * errors > bars).any(), changed


def test_automata_agree_with_the_humans_in_all_but_inequality():
    found, errors = simulate(make_policy(GAME, "participant", "learning_automata"), 4000, seed=99).measures()
    human, bars = human_figures()
    near = np.abs(found - human) + 4 * errors <= bars
    for measure in ("surplus", "sustained"):
        assert near[:, MEASURES.index(measure)].all()


def test_standard_errors_are_those_of_repeated_simulations():
    people = simulated_people(GAME)
    runs = [simulate(people, 100, seed).measures() for seed in range(60)]
    spread, told = np.std([found for found, _ in runs], axis=0, ddof=1), np.mean([error for _, error in runs], axis=0)
    assert (np.abs(spread / told - 1) < 0.4).all()  # the standard deviation of 60 has a relative error of 0.09


def test_the_fit_repeats_itself_and_keeps_its_bounds():
    few = {"simulations": (15, 5), "n_groups": (3, 6)}
    found = fit(RULES[:2], **few)
    assert found == fit(RULES[:2], **few)
    assert all(low <= getattr(found, name) <= high for name, (low, high) in BOUNDS.items())
    begun = loss(simulate(CommonsPeople(GAME, Traits(**START)), 6, 1, RULES[:2]).measures()[0], RULES[:2])
    assert loss(simulate(CommonsPeople(GAME, found), 6, 1, RULES[:2]).measures()[0], RULES[:2]) < begun
    human, bars = human_figures()
    assert loss(human) == 0
    assert loss((human + bars)[:2], RULES[:2]) == pytest.approx(24)


# -- errors ---------------------------------------------------------------------------------------------------------


def test_bad_traits_and_games_are_refused_by_name():
    with pytest.raises(ParameterError, match=r"no parameter 'propensty': did you mean 'propensity'"):
        make_policy(GAME, "participant", "simulated_people", propensty=1.0)
    for name, interval in INTERVALS.items():
        high = float(interval[1:-1].split(",")[1])
        for bad in (high + 0.1, float("nan"), "much"):
            with pytest.raises(ParameterError, match=f"{name} is "):
                make_policy(GAME, "participant", "simulated_people", **{name: bad})
    with pytest.raises(ParameterError, match=r"no parameter 'foresigt': did you mean 'foresight'"):
        make_policy(GAME, "participant", "learning_automata", foresigt=1.0)
    for name, bad in (("rate", 0.6), ("habituation", 2.0), ("foresight", -1.0), ("carry", True)):
        with pytest.raises(ParameterError, match=f"{name} is "):
            make_policy(GAME, "participant", "learning_automata", **{name: bad})
    for name in POPULATIONS:
        with pytest.raises(UnsupportedGameError, match=rf"{name}.*commons_trust-v0 and public_investment-v0"):
            make_policy(make_game("bimatrix"), "participant", name)


def test_settings_make_the_same_people_again():
    for name in POPULATIONS:
        policy = make_policy(GAME, "participant", name)
        assert isinstance(policy, CommonsPeople | CommonsAutomata)
        assert policy.settings["policy"] == name
    assert set(fitted_traits(GAME.name)) == set(Traits.__dataclass_fields__) == set(BOUNDS)
    people = simulated_people(GAME)
    again = make_policy(GAME, "participant", people.settings)
    assert population_hash(people) == population_hash(again)
    assert population_hash(people) != population_hash(simulated_people(GAME, noise=0.5))
