"""The public investment game: its arithmetic, its rule families, what players see, what they may do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lawgiver.envs.core.arrays import softmax
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.make import make_game
from lawgiver.envs.public_investment.rule_families import FAMILIES
from lawgiver.envs.views.parallel import GameParallelEnv

FOUR = {"endowments": (10, 4, 4, 4)}
RNG = np.random.default_rng(0)


def play_round(game, contributions, sent):
    """Return the state after one round, and what the participants and the mechanism were paid."""
    batch = len(contributions)
    state = game.initial_state(batch, np.random.default_rng(0))
    first, second = (sent, contributions) if game.announces else (contributions, sent)
    state, rewards, *_ = game.step(state, first, {})
    assert not rewards["participant"].any() and not rewards["mechanism"].any()
    state, rewards, *_ = game.step(state, second, {})
    return state, rewards["participant"], rewards["mechanism"][:, 0]


def weights_to_send(weights):
    return np.log(np.asarray(weights, float))[:, None]


def test_a_round_by_hand():
    game = make_game("public_investment", **FOUR)
    weights = np.array([[0.4, 0.3, 0.2, 0.1]])
    state, paid, objective = play_round(game, np.array([[5, 4, 0, 1]]), weights_to_send(weights))
    assert state.weights == pytest.approx(weights)
    assert state.payouts == pytest.approx(np.array([[6.4, 4.8, 3.2, 1.6]]))
    assert paid == pytest.approx(np.array([[5 + 6.4, 0 + 4.8, 4 + 3.2, 3 + 1.6]]))
    assert objective == pytest.approx(np.log(paid + 0.001).sum())


@pytest.mark.parametrize(("objective", "value"), [("surplus", 6.0), ("rawlsian", 4.6)])
def test_objectives(objective, value):
    game = make_game("public_investment", **FOUR, objective=objective)
    *_, paid = play_round(game, np.array([[5, 4, 0, 1]]), weights_to_send([[0.4, 0.3, 0.2, 0.1]]))
    assert paid == pytest.approx([value])


def test_more_than_the_endowment_is_played_as_the_endowment():
    game = make_game("public_investment", **FOUR)
    state, *_ = play_round(game, np.array([[10, 10, 4, 5]]), np.zeros((1, 1, 4)))
    assert state.contributions.tolist() == [[10, 4, 4, 4]]


@pytest.mark.parametrize("mode", ["allocate", "announce"])
def test_without_contributions_everybody_keeps_everything_and_shares_are_equal(mode):
    game = make_game("public_investment", **FOUR, mechanism_mode=mode)
    sent = np.array([[[5.0, 2.0]]]) if game.announces else np.array([[[9.0, 0.0, 0.0, -3.0]]])
    state, paid, _ = play_round(game, np.zeros((1, 4), int), sent)
    assert paid.tolist() == [[10, 4, 4, 4]]
    assert state.weights.tolist() == [[0.25] * 4]


# -- rule families ---------------------------------------------------------------------------------------------

conditions = st.lists(st.integers(1, 20), min_size=2, max_size=6)


@st.composite
def rounds(draw):
    """Draw endowments and contributions of one round, (1, n) each."""
    endowments = draw(conditions)
    contributions = [draw(st.integers(0, endowment)) for endowment in endowments]
    return np.array([endowments], float), np.array([contributions], float)


def share(amounts):
    return amounts / amounts.sum() if amounts.any() else np.full(amounts.shape, 1 / amounts.size)


@settings(deadline=None)
@given(rounds(), st.floats(0, 1), st.floats(0, 1))
def test_the_manifold_is_on_the_simplex(played, w, v):
    weights = FAMILIES["manifold"].weights(np.array([[w, v]]), *played)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights >= -1e-15).all()


@settings(deadline=None)
@given(rounds(), st.floats(0, 12), st.floats(-1, 2))
def test_the_power_family_is_on_the_simplex(played, p, q):
    weights = FAMILIES["power"].weights(np.array([[p, q]]), *played)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights >= 0).all()


@settings(deadline=None)
@given(rounds())
def test_canonical_rules_are_members_of_both_families(played):
    endowments, contributions = played
    n = endowments.shape[-1]
    canonical = {
        "strict_egalitarian": np.full((1, n), 1 / n),
        "libertarian": share(contributions),
        "liberal_egalitarian": share(contributions / endowments),
    }
    for family in FAMILIES:
        game = make_game(
            "public_investment", endowments=endowments[0].astype(int).tolist(),
            mechanism_mode="announce", rule_family=family,
        )  # fmt: skip
        for name, expected in canonical.items():
            announced = np.array(game.members[name])[None, None]
            state, paid, _ = play_round(game, contributions.astype(int), announced)
            assert state.weights == pytest.approx(expected, abs=1e-12)
            assert paid.sum() == pytest.approx(endowments.sum() + 0.6 * contributions.sum())


def test_manifold_formula_of_the_paper():
    endowments, contributions = np.array([[10.0, 4, 4, 4]]), np.array([[7.0, 1, 4, 0]])
    w, v = 0.7, 0.3
    ratios = contributions / endowments
    fund, all_ratios = contributions.sum(), ratios.sum()
    others = (fund - contributions) / 3, (all_ratios - ratios) / 3
    absolute = 1.6 * (w * contributions + (1 - w) * others[0])
    relative = 1.6 * fund / all_ratios * (w * ratios + (1 - w) * others[1])
    weights = FAMILIES["manifold"].weights(np.array([[w, v]]), endowments, contributions)
    assert 1.6 * fund * weights == pytest.approx(v * absolute + (1 - v) * relative)


def test_power_rule_by_hand():
    weights = FAMILIES["power"].weights(np.array([[2.0, 1.0]]), np.array([[10.0, 4.0]]), np.array([[5.0, 4.0]]))
    assert weights == pytest.approx(np.array([[10 * 0.25, 4 * 1.0]]) / 6.5)


def test_zero_to_the_power_of_zero_is_one():
    game = make_game("public_investment", endowments=(10, 4), mechanism_mode="announce")
    state, *_ = play_round(game, np.array([[3, 0]]), np.array([[[0.0, 0.0]]]))
    assert state.weights.tolist() == [[0.5, 0.5]]
    state, *_ = play_round(game, np.array([[3, 0]]), np.array([[[1e-9, 0.0]]]))
    assert state.weights.tolist() == [[1.0, 0.0]]


def test_rational_replies_to_canonical_rules():
    """Marginal returns: 1.6 / 4 under strict egalitarian (keep all), 1.6 under libertarian (give all)."""
    game = make_game("public_investment", endowments=(10, 10, 10, 10), mechanism_mode="announce")
    own = np.arange(11)
    contributions = np.stack([own, *[np.full(11, 5)] * 3], axis=1)
    for name, slope in (("strict_egalitarian", 0.4 - 1), ("libertarian", 1.6 - 1)):
        announced = np.tile(np.array(game.members[name]), (11, 1, 1))
        _, paid, _ = play_round(game, contributions, announced)
        assert np.diff(paid[:, 0]) == pytest.approx(np.full(10, slope))


# -- what players see ------------------------------------------------------------------------------------------


def test_participants_see_the_last_round_own_first():
    env = GameParallelEnv(make_game("public_investment", **FOUR), flag_turns=False)
    env.reset(seed=0)
    env.step({f"participant_{i}": c for i, c in enumerate((5, 4, 0, 1))})
    seen, *_ = env.step({"mechanism": np.log([0.4, 0.3, 0.2, 0.1]).astype(np.float32)})
    at = columns(env.game.observation_layout("participant"))
    third = seen["participant_2"]
    assert third[at["own_endowment"]].tolist() == [4]
    assert third[at["contributions"]].tolist() == [0, 5, 4, 1]
    assert third[at["payouts"]] == pytest.approx([3.2, 6.4, 4.8, 1.6])
    assert third[at["endowments"]].tolist() == [4, 10, 4, 4]
    assert third[at["round"]].tolist() == [1]
    assert third.shape == (14,)


def test_the_mechanism_sees_this_rounds_contributions():
    env = GameParallelEnv(make_game("public_investment", **FOUR), flag_turns=False)
    env.reset(seed=0)
    seen, *_ = env.step({f"participant_{i}": c for i, c in enumerate((5, 4, 0, 1))})
    assert seen["mechanism"].tolist() == [10, 4, 4, 4, 5, 4, 0, 1]


@pytest.mark.parametrize("kind", ["paper", "rule"])
def test_the_rule_is_announced_before_anybody_contributes(kind):
    game = make_game("public_investment", **FOUR, mechanism_mode="announce", participant_observation=kind)
    env = GameParallelEnv(game, flag_turns=False)
    env.reset(seed=0)
    assert env.acting_agents == ("mechanism",)
    seen, *_ = env.step({"mechanism": np.array([3.0, 0.5])})
    at = columns(game.observation_layout("participant"))
    for agent in env.acting_agents:
        assert seen[agent][[at["rule_p"].start, at["rule_q"].start]].tolist() == [3.0, 0.5]
    if kind == "rule":
        assert seen["participant_1"].tolist() == [4, 3.0, 0.5]


def test_a_rule_for_the_whole_game_is_announced_once():
    game = make_game("public_investment", **FOUR, mechanism_mode="announce", announce_every="game", n_rounds=3)
    env = GameParallelEnv(game)
    env.reset(seed=0)
    turns = []
    while env.agents:
        turns.append(env.acting_agents[0])
        env.step({"mechanism": np.array([1.0, 1.0]), **{f"participant_{i}": 4 for i in range(4)}})
    assert turns == ["mechanism", "participant_0", "participant_0", "participant_0"]


def test_conditions_are_drawn_evenly():
    game = make_game("public_investment")
    state = game.initial_state(50_000, np.random.default_rng(0))
    tails, counts = np.unique(state.endowments[:, 1], return_counts=True)
    assert tails.tolist() == [2, 4, 6, 8, 10] and (state.endowments[:, 0] == 10).all()
    assert abs(counts - 10_000).max() < 4 * (50_000 * 0.2 * 0.8) ** 0.5


def test_softmax_of_large_and_equal_logits():
    logits = np.array([[10.0, 10, -10, -10]])
    assert softmax(logits)[0] == pytest.approx([0.5, 0.5, 0, 0], abs=1e-8)
    assert np.isfinite(softmax(1e4 * logits)).all()


# -- parameters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"endowments": []}, "endowments"),
        ({"endowments": [5]}, "at least 2"),
        ({"endowments": [5, 0]}, r"one of endowments is 0, allowed: an integer in 1\.\.1,000"),
        ({"endowments": [5, -1]}, "one of endowments is -1"),
        ({"endowments": [5, 2.5]}, r"one of endowments is 2\.5"),
        ({"endowments": [5, True]}, "one of endowments is True"),
        ({"endowments": [5, 1001]}, "one of endowments is 1001"),
        ({"endowments": [[5, 5], [5, 5, 5]]}, "the same number"),
        ({"endowments": "10"}, "endowments"),
        ({"endowments": 10}, "endowments"),
        ({"n_rounds": 0}, "n_rounds"),
        ({"n_rounds": 2.5}, "n_rounds"),
        ({"multiplier": 0}, "multiplier"),
        ({"multiplier": float("nan")}, "multiplier"),
        ({"multiplier": "1.6"}, "multiplier"),
        ({"mechanism_mode": "alocate"}, "mechanism_mode.*did you mean 'allocate'"),
        ({"announce_every": "day"}, "announce_every.*game, round"),
        ({"rule_family": "powr"}, "rule_family.*did you mean 'power'"),
        ({"participant_observation": "all"}, "participant_observation.*paper, rule"),
        ({"participant_observation": "rule"}, "mechanism_mode='announce'"),
        ({"objective": "welfare"}, "unknown objective 'welfare'"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        make_game("public_investment", **params)


def test_lists_and_numpy_integers_are_endowments_too():
    game = make_game("public_investment", endowments=[[np.int64(3), 2], [1, 1]])
    assert game.endowments == ((3, 2), (1, 1)) and hash(game)
    with pytest.raises(ParameterError, match=r"no parameter 'endowment'.*did you mean 'endowments'"):
        make_game("public_investment", endowment=[1, 2])
