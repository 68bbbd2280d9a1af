"""The common-pool trust game: its arithmetic, what players see, what they may do, and what is refused."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lawgiver.envs.commons_trust.rule_family import MEMBERS, family_offers
from lawgiver.envs.core.errors import ActionError, LawgiverError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.testing.play import UniformPlayer
from lawgiver.envs.views.parallel import GameParallelEnv

amounts = st.floats(0.0, 200.0)


def fresh(game, pool=None):
    """Return one game before its first round, with a given pool if any."""
    return (
        game.initial_state(1, np.random.default_rng(0)) if pool is None else game.initial_state_from(np.array([pool]))
    )


def play_round(game, state, offers, returns, draws=None):
    """Return the state after a round by outcomes, and what came with it."""
    state, rewards, *_ = game.advance(state, np.array([offers], float), {})
    assert not rewards["participant"].any() and not rewards["mechanism"].any()
    return game.advance(state, np.array([returns], float), draws or {})


# -- a round -----------------------------------------------------------------------------------------------------


def test_a_round_by_hand():
    game = make_game("commons_trust")
    state, rewards, terminated, truncated = play_round(game, fresh(game, 150.0), (60, 30, 20, 0), (40, 30, 0, 0))
    assert state.pool.tolist() == pytest.approx([150 - 110 + 1.4 * 70])
    assert rewards["participant"].tolist() == [[20, 0, 20, 0]]
    assert rewards["mechanism"].tolist() == [[40]]
    assert state.kept.tolist() == [[20, 0, 20, 0]] and state.spilled.tolist() == [0]
    assert not terminated.any() and not truncated.any()
    state, *_ = play_round(game, state, (10, 10, 10, 10), (1, 2, 3, 4))
    assert state.kept.tolist() == [[29, 8, 27, 6]]


def test_growth_beyond_the_capacity_is_lost():
    game = make_game("commons_trust")
    state, *_ = play_round(game, fresh(game), (50, 50, 50, 50), (50, 50, 50, 50))
    assert state.pool.tolist() == [200] and state.spilled.tolist() == pytest.approx([80])


@pytest.mark.parametrize(("objective", "value"), [("rawlsian", 0), ("log_nash_welfare", 2 * np.log(20.001 * 0.001))])
def test_objectives_are_of_what_is_kept_in_the_round(objective, value):
    game = make_game("commons_trust", objective=objective)
    _, rewards, *_ = play_round(game, fresh(game), (60, 30, 20, 0), (40, 30, 0, 0))
    assert rewards["mechanism"][0, 0] == pytest.approx(value)


@st.composite
def rounds(draw):
    """Draw a pool, offers within it and returns within these, with integer returns or not."""
    n, pool = draw(st.integers(2, 6)), draw(st.floats(0.0, 200.0))
    shares = np.array(draw(st.lists(st.floats(0.0, 1.0), min_size=n, max_size=n)))
    offers = pool * draw(st.floats(0.0, 1.0)) * shares / max(shares.sum(), 1.0)
    returns = offers * np.array(draw(st.lists(st.floats(0.0, 1.0), min_size=n, max_size=n)))
    return pool, offers, returns


@given(rounds(), st.floats(0.1, 3.0))
def test_the_pool_is_conserved(drawn, growth):
    pool, offers, returns = drawn
    game = make_game("commons_trust", n=len(offers), growth=growth)
    state, rewards, *_ = play_round(game, fresh(game, pool), offers, returns)
    assert state.pool[0] == pytest.approx(min(200.0, pool - offers.sum() + growth * returns.sum()), abs=1e-9)
    assert (rewards["participant"][0] >= 0).all()
    assert abs(game.deficit(state)[0]) <= 1e-9
    assert 0 <= state.pool[0] <= 200


@given(rounds(), st.floats(1.01, 3.0))
def test_a_pool_that_is_offered_whole_shrinks_below_the_tipping_point_and_grows_above(drawn, growth):
    _, offers, returns = drawn
    total = offers.sum()
    game = make_game("commons_trust", n=len(offers), growth=growth, capacity=1e4)
    state, *_ = play_round(game, fresh(game, total), offers, returns)
    margin = returns.sum() - total / growth
    if abs(margin) > 1e-9:
        assert (state.pool[0] > total) == (margin > 0)


# -- actions -----------------------------------------------------------------------------------------------------


@given(st.lists(amounts, min_size=4, max_size=4), st.floats(0.0, 200.0))
def test_offers_beyond_the_pool_are_scaled_down_in_their_proportions(offers, pool):
    game = make_game("commons_trust")
    sent = np.array([[offers]])
    played = game.outcome(fresh(game, pool), sent)
    if sum(offers) <= pool:
        assert played[0].tolist() == offers
    else:
        assert played.sum() == pytest.approx(pool, abs=1e-9)
        assert played[0] * sum(offers) == pytest.approx(np.array(offers) * pool, abs=1e-6)


def test_whole_returns_up_to_the_offer_are_legal_and_more_is_played_as_that():
    game = make_game("commons_trust")
    state, *_ = game.advance(fresh(game), np.array([[50.9, 1.0, 0.99, 0.0]]), {})
    legal = game.legal_actions(state, "participant")
    assert legal.shape == (1, 4, 201) and legal.sum(-1).tolist() == [[51, 2, 1, 1]]
    assert game.outcome(state, np.array([[200, 200, 200, 200]])).tolist() == [[50, 1, 0, 0]]


def test_on_the_continuum_a_fraction_is_returned():
    game = make_game("commons_trust", integer_returns=False)
    state, *_ = game.advance(fresh(game), np.array([[50.0, 1.0, 0.5, 0.0]]), {})
    assert game.legal_actions(state, "participant") is None
    assert game.outcome(state, np.array([[[0.5], [1.0], [0.5], [1.0]]])).tolist() == [[25, 1, 0.25, 0]]


@pytest.mark.parametrize(
    ("params", "offers", "returns", "said"),
    [
        ({}, (60, 60, 60, 60), None, "beyond the pool"),
        ({}, (-1, 0, 0, 0), None, "below 0"),
        ({}, (50, 50, 50, 50), (51, 0, 0, 0), "above the offer"),
        ({}, (50, 50, 50, 50), (0.5, 0, 0, 0), "no whole points"),
        ({"mechanism_mode": "announce"}, (1, 60, 0), None, "outside"),
    ],
)
def test_outcomes_of_given_policies_are_checked(params, offers, returns, said):
    game = make_game("commons_trust", **params)
    state, outcome = fresh(game), np.array([offers], float)
    if returns is not None:
        assert game.outcome_error(state, outcome) is None
        state, *_ = game.advance(state, outcome, {})
        outcome = np.array([returns], float)
    assert said in game.outcome_error(state, outcome)


def test_actions_outside_their_spaces_are_refused():
    env = GameParallelEnv(make_game("commons_trust"))
    env.reset(seed=0)
    for offers in ([201, 0, 0, 0], [-1, 0, 0, 0], [np.nan, 0, 0, 0], [1, 2, 3]):
        with pytest.raises(ActionError, match="mechanism"):
            env.step({agent: np.array(offers, float) if agent == "mechanism" else 0 for agent in env.agents})
    env.step({agent: np.full(4, 50.0) if agent == "mechanism" else 0 for agent in env.agents})
    with pytest.raises(ActionError, match="participant_0"):
        env.step(dict.fromkeys(env.agents, 201) | {"mechanism": np.zeros(4)})


# -- what is seen ------------------------------------------------------------------------------------------------


def test_participants_see_themselves_first():
    game = make_game("commons_trust")
    state, *_ = play_round(game, fresh(game), (60, 50, 40, 30), (6, 5, 4, 3))
    state, *_ = game.advance(state, np.array([[10.0, 20.0, 30.0, 40.0]]), {})
    at = columns(game.observation_layout("participant"))
    seen = game.observe(state, "participant")[0]
    assert seen[2, at["offers"]].tolist() == [30, 10, 20, 40]
    assert seen[2, at["returns"]].tolist() == [4, 6, 5, 3]
    assert seen[2, at["last_offers"]].tolist() == [40, 60, 50, 30]
    assert seen[2, at["pool"]].tolist() == state.pool.tolist() == pytest.approx([20 + 1.4 * 18])
    assert not any("round" in name for name in at), "the horizon is hidden"


def test_the_mechanism_sees_the_pool_and_the_last_round():
    game = make_game("commons_trust")
    assert game.observe(fresh(game), "mechanism").tolist() == [[[0] * 8 + [200]]]
    state, *_ = play_round(game, fresh(game), (60, 50, 40, 30), (6, 5, 4, 3))
    assert game.observe(state, "mechanism").tolist() == [[[60, 50, 40, 30, 6, 5, 4, 3, *state.pool]]]


def test_infos_flag_exclusion_and_the_pool():
    game = make_game("commons_trust")
    told = game.infos(fresh(game))
    assert told["excluded"].tolist() == [[False] * 4] and told["sustained"].all() and not told["depleted"].any()
    state, *_ = play_round(game, fresh(game), (100, 99, 1, 0.99), (0, 0, 0, 0))
    told = game.infos(state)
    assert told["excluded"].tolist() == [[False, False, False, True]]
    assert not told["sustained"].any() and told["depleted"].all()


# -- rules -------------------------------------------------------------------------------------------------------


@given(st.floats(0.0, 200.0), st.lists(amounts, min_size=4, max_size=4))
@example(1.5, [0.0, 0.0, 0.0, 5e-324])
def test_members_are_the_papers_formulas(pool, returns):
    state = np.array([pool]), np.array([returns])
    whole = sum(returns)
    shares = np.array(returns) / whole if whole > 0 else np.full(4, 0.25)
    weights = {
        "equal_offers": 1.0,
        "mixed_offers": 0.5,
        "proportional_offers": 0.0,
        "interpolating_offers": (pool / 200) ** 22,
    }
    assert weights.keys() == MEMBERS.keys()
    for name, w in weights.items():
        offers = family_offers(np.array([MEMBERS[name]]), *state, 200.0)[0]
        assert offers == pytest.approx(w * pool / 4 + (1 - w) * pool * shares, abs=1e-9), name
        assert offers.sum() == pytest.approx(pool, abs=1e-9)


@given(
    st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 50.0), st.floats(0.0, 1.0)),
    st.floats(0.0, 200.0),
    st.lists(amounts, min_size=4, max_size=4),
)
def test_nobody_is_offered_less_than_the_floor_of_an_equal_share(rule, pool, returns):
    offers = family_offers(np.array([rule]), np.array([pool]), np.array([returns]), 200.0)
    assert (offers >= rule[2] * pool / 4 - 1e-9).all()
    assert offers.sum() == pytest.approx(pool, abs=1e-9)


@given(st.lists(st.integers(1, 50), min_size=3, max_size=3), st.integers(1, 6))
def test_proportional_offers_exclude_for_good(others, rounds):
    """Who returns nothing once, while somebody else returns something, is offered nothing from then on."""
    game = make_game("commons_trust", mechanism_mode="announce", integer_returns=False)
    state = fresh(game)
    fractions = np.array([[0, *(c / 50 for c in others)]])
    for _ in range(rounds):
        state, *_ = game.advance(state, np.array([MEMBERS["proportional_offers"]]), {})
        state, *_ = game.advance(state, state.offers * fractions, {})
        fractions = np.maximum(fractions, 0.9)  # the excluded would return nearly everything
        assert state.round[0] == 1 or game.infos(state)["excluded"][0].tolist() == [True, False, False, False]


def test_an_announced_rule_is_seen_and_makes_the_offers():
    game = make_game("commons_trust", mechanism_mode="announce")
    state, *_ = game.step(fresh(game), np.array([[MEMBERS["interpolating_offers"]]]), {})
    at = columns(game.observation_layout("participant"))
    seen = game.observe(state, "participant")[0]
    assert seen[:, at["rule_weight"]].ravel().tolist() == [1] * 4
    assert seen[:, at["rule_exponent"]].ravel().tolist() == [22] * 4
    assert state.offers.tolist() == [[50] * 4]


def test_a_rule_for_the_whole_game_makes_the_offers_of_every_round():
    game = make_game(
        "commons_trust", preset="experiment_4", mechanism_mode="announce", announce_every="game", integer_returns=False
    )
    each = make_game("commons_trust", mechanism_mode="announce", integer_returns=False)
    rule, fractions = np.array([[MEMBERS["mixed_offers"]]]), np.array([[[0.9], [0.8], [1.0], [0.2]]])
    once, *_ = game.step(fresh(game), rule, {})
    state = fresh(each)
    for _ in range(5):
        assert game.phase(once) == "participant" and each.phase(state) == "mechanism"
        state, *_ = each.step(state, rule, {})
        assert once.offers.tolist() == state.offers.tolist()
        once, *_ = game.step(once, fractions, {"going_on": np.zeros(1)})
        state, *_ = each.step(state, fractions, {})
        assert once.pool.tolist() == state.pool.tolist()


# -- ends --------------------------------------------------------------------------------------------------------


def lengths(game, batch, seed=0):
    """Play at random; return the rounds of each game, and whether it was cut off."""
    rng = np.random.default_rng(seed)
    players = {role: UniformPlayer(game, role) for role in game.roles}
    rounds, cut = np.zeros(batch), np.zeros(batch, bool)
    for step in rollout(game, players, game.initial_state(batch, rng), rng):
        ended = step.alive & (step.terminated | step.truncated)
        rounds[ended], cut[ended] = step.after.round[ended], step.truncated[ended]
    return rounds, cut


def test_games_are_cut_off_after_n_rounds():
    rounds, cut = lengths(make_game("commons_trust", n_rounds=7), 5)
    assert (rounds == 7).all() and cut.all()


def test_games_with_a_continuation_end_at_random_after_their_least_number_of_rounds():
    game = make_game("commons_trust", continuation=0.8, min_rounds=3, n_rounds=60, integer_returns=False, n=2)
    batch = 20_000
    rounds, cut = lengths(game, batch)
    assert rounds.min() == 3 and not cut.any()
    for k in range(4):  # P(length > k + 3) = 0.8^(k + 1)
        chance = 0.8 ** (k + 1)
        assert (rounds > k + 3).mean() == pytest.approx(chance, abs=4 * (chance * (1 - chance) / batch) ** 0.5)


# -- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"growth": 0}, r"growth is 0, allowed: a number in \(0, 1e6\]"),
        ({"growth": -1.4}, "growth is -1.4"),
        ({"growth": float("nan")}, "growth is nan"),
        ({"capacity": 100}, "first_pool is 200, allowed: at most the capacity, which is 100"),
        ({"capacity": float("inf")}, "capacity is inf"),
        ({"first_pool": 0}, "first_pool is 0"),
        ({"n": 1}, "n is 1, allowed: an integer >= 2"),
        ({"n_rounds": 0}, "n_rounds is 0"),
        ({"continuation": 1}, r"continuation is 1, allowed: a number in \[0, 1\)"),
        ({"continuation": -0.1}, "continuation is -0.1"),
        ({"continuation": 0.5, "min_rounds": 41}, r"min_rounds is 41, allowed: an integer in 1..40"),
        ({"min_rounds": 25}, "min_rounds is 25 without a continuation"),
        ({"integer_returns": 1}, "integer_returns is 1, allowed: True or False"),
        ({"mechanism_mode": "decide"}, "mechanism_mode is 'decide'"),
        ({"mechanism_mode": "announce", "announce_every": "year"}, "announce_every is 'year'"),
        ({"mechanism_mode": "announce", "announce_every": "game"}, "announce_every is 'game', allowed: 'round'"),
        ({"objective": "surplu"}, "did you mean 'surplus'"),
        ({"preset": "experiment_2"}, "preset is 'experiment_2'"),
        ({"capacity": 1e9}, "choices"),
    ],
)
def test_bad_parameters_are_named(params, said):
    with pytest.raises(LawgiverError, match=said):
        make_game("commons_trust", **params)


# -- mechanisms by name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MEMBERS)
def test_named_mechanisms_do_in_either_mode_what_the_rule_says(name):
    made = [make_game("commons_trust", mechanism_mode=mode) for mode in ("allocate", "announce")]
    states = [fresh(game) for game in made]
    rng = np.random.default_rng(0)
    for _ in range(4):
        for i, game in enumerate(made):
            policy = make_policy(game, "mechanism", name)
            same = make_policy(game, "mechanism", "rule", parameters=MEMBERS[name])
            sent, _ = policy.act(game.observe(states[i], "mechanism"), None, None, rng)
            assert np.array_equal(sent, same.act(game.observe(states[i], "mechanism"), None, None, rng)[0])
            states[i], *_ = game.step(states[i], sent, {})
        assert states[0].offers == pytest.approx(states[1].offers, abs=1e-9)
        returns = rng.integers(0, np.floor(np.minimum(*(state.offers for state in states))) + 1)
        states = [game.step(state, returns, {})[0] for game, state in zip(made, states, strict=True)]


def test_random_offers_are_a_uniform_share_of_the_pool_uniform_on_the_simplex():
    game = make_game("commons_trust", n=3)
    policy = make_policy(game, "mechanism", "random_offers")
    batch = 40_000
    obs = game.observe(game.initial_state_from(np.full(batch, 80.0)), "mechanism")
    offers = policy.act(obs, None, None, np.random.default_rng(0))[0][:, 0]
    moments = policy.distribution(obs[:1], None, None)[0][0, 0]
    assert offers.mean(0) == pytest.approx(moments[0], abs=4 * moments[1, 0] / batch**0.5)
    assert offers.std(0) == pytest.approx(moments[1], rel=0.02)
    share, part = offers.sum(-1) / 80, offers[:, 0] / offers.sum(-1)
    for level in (0.2, 0.5, 0.8):  # U is uniform; a part of three on the simplex lies below x with chance 1 - (1 - x)^2
        near = 4 * 0.5 / batch**0.5
        assert (share < level).mean() == pytest.approx(level, abs=near)
        assert (part < level).mean() == pytest.approx(1 - (1 - level) ** 2, abs=near)


def test_mechanisms_of_other_games_and_modes_are_refused_by_name():
    announces = make_game("commons_trust", mechanism_mode="announce")
    for game, name, said in (
        (make_game("commons_trust"), "libertarian", "libertarian.*equal_offers"),
        (announces, "random_offers", "random_offers.*allowed.*equal_offers"),
        (make_game("public_investment"), "equal_offers", "equal_offers.*libertarian"),
        (make_game("taxed_dilemma"), "random_offers", "plays commons_trust"),
    ):
        with pytest.raises(UnsupportedGameError, match=said):
            make_policy(game, "mechanism", name)
    with pytest.raises(ParameterError, match=r"exponent in parameters is 51, allowed: a number in \[0.0, 50.0\]"):
        make_policy(make_game("commons_trust"), "mechanism", "rule", parameters=(1, 51, 0))
