"""Selfish routing: Pigou and Braess with n agents in closed form, tolls, masks, and what is refused."""

import math
import pickle

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.make import make_game
from lawgiver.envs.solvers.congestion.mixing import best_transfers, equilibrium_mixture
from lawgiver.envs.solvers.congestion.system_optimum import marginal_tolls
from lawgiver.envs.solvers.equilibrium.subgame import uniform_prior
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import best_in_box, scores, solve
from lawgiver.envs.views.vector import GameVectorEnv

TWO_PAIRS = {
    "edges": [["a", "t", [0, 2]], ["a", "b", [0.25]], ["b", "t", [0.5, 0, 1]], ["a", "t", [1.5]]],
    "demands": [["a", "t", 0.75], ["b", "t", 0.25]],
}


def routing(**params):
    return make_game("selfish_routing", **params)


def cost_per_agent(game, tolls, level):
    found = solve(game.subgame, np.asarray(tolls, float), level, uniform_prior(game.subgame))
    assert found.residual < 1e-7
    return -float(game.subgame.welfare(found.policy)) / game.n


@pytest.mark.parametrize("n", [2, 5, 20, 1000])
def test_closed_forms_of_n_agents(n):
    pigou, braess = routing(n=n, network="pigou"), routing(n=n)
    assert pigou.optimum() == pytest.approx(-(3 * n + 1) / 4)
    assert braess.optimum() == pytest.approx(-(3 * n + 1) / 2)
    assert pigou.first_best() == pytest.approx(-(n - (n // 2) * (n - n // 2) / n))
    assert braess.first_best() <= -1.5 * n + 1e-9 and braess.first_best() == pytest.approx(-1.5 * n, abs=1 / n)
    toll = (n - 1) / (2 * n)  # the first road costs (1 + (n - 1) q) / n if all take it with probability q
    np.testing.assert_allclose(best_transfers(pigou.congestion), [-toll, 0], atol=1e-8)
    np.testing.assert_allclose(best_transfers(braess.congestion), [-toll, 0, 0, -toll, 0], atol=1e-8)
    assert equilibrium_mixture(pigou.congestion).welfare == pytest.approx(-n)
    assert equilibrium_mixture(braess.congestion).welfare == pytest.approx(-2 * n)


@pytest.mark.parametrize("name", ["pigou", "braess"])
def test_many_all_but_rational_agents_come_close_to_the_mass(name):
    game = routing(n=1000, network=name)
    free, best = (value.value() for value in game.known_solutions()[:2])
    tolls = marginal_tolls(game.roads.nonatomic())
    assert game.parameter_layout()[0].high > tolls.max() > game.parameter_layout()[0].low
    gaps = [abs(cost_per_agent(game, 0 * tolls, level) - free) for level in (10, 100, 1000)]
    assert gaps[0] > gaps[1] > gaps[2] and gaps[2] < 0.012
    assert cost_per_agent(game, tolls, 1000) == pytest.approx(best, abs=2e-3)
    assert cost_per_agent(game, tolls, math.inf) == pytest.approx(-game.optimum() / game.n, abs=1e-6)


def test_a_toll_on_the_bridge_empties_it():
    game = routing(n=1000, tolled=["v-w"])
    for toll in (
        0.0,
        0.2,
        0.4,
        0.5,
        0.9,
    ):  # a mass: the 1 - 2 toll who cross cost (1 - 2 toll)^2 / 2 more than the best
        over = max(1 - 2 * toll, 0.0)
        assert cost_per_agent(game, [toll], 3000) == pytest.approx(1.5 + over**2 / 2, abs=5e-3)
        crossing = scores(game, np.array([toll]), 3000)["flow s-v-w-t"]
        assert crossing == pytest.approx(over, abs=5e-3)


def test_search_of_the_box_finds_tolls_as_good_as_the_closed_forms():
    found = best_in_box(routing(network="pigou", tolled=["s-t#1"]), 5.0)
    assert found.parameters == pytest.approx([19 / 40], abs=1e-3)  # half on each road, whatever the temperature
    assert found.value == pytest.approx(-61 / 4, abs=1e-6)
    bridge = best_in_box(routing(tolled=["v-w"]), 30.0)
    assert bridge.parameters[0] > 0.5
    assert bridge.value == pytest.approx(-61 / 2, abs=1e-3)


def test_tolls_are_charged_and_do_not_count():
    game = routing(n=4)
    rng = np.random.default_rng(0)
    tolls, choices = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([[0, 1, 1, 2]])
    state, *_ = game.step(game.initial_state(1, rng), tolls[None, None], {})
    state, rewards, *_ = game.step(state, choices, {})
    # edges s-v v-t s-w w-t v-w with 3, 1, 1, 3, 2 of 4 agents
    np.testing.assert_allclose(-state.utilities[0], [0.75 + 1, 0.75 + 0 + 0.75, 1.5, 1 + 0.75])
    np.testing.assert_allclose(-state.transfers[0], [0.1 + 0.2, 0.1 + 0.5 + 0.4, 1.0, 0.3 + 0.4])
    assert rewards["mechanism"][0, 0] == pytest.approx(-6.5)
    assert rewards["participant"][0] == pytest.approx(state.utilities[0] + state.transfers[0])
    assert game.deficit(state)[0] == pytest.approx(-3.0)


def test_the_report_holds_what_tolls_raise():
    game, tolls = routing(), np.array([0.4, 0.1, 0.0, 0.3, 0.6])
    found = scores(game, tolls, 20.0)
    flows = np.array([found[f"flow {name}"] for name in ("s-v-t", "s-v-w-t", "s-w-t")])
    assert flows.sum() == pytest.approx(1)
    assert found["expected_budget"] == pytest.approx(-20 * flows @ [0.4 + 0.1, 0.4 + 0.6 + 0.3, 0.3])
    assert found["ir_violation"] > 1.5 and found["misreport_regret"] == 0
    assert 0 < found["regret"] < math.log(3) / 20


def test_pairs_with_different_numbers_of_routes():
    game = routing(n=8, network=TWO_PAIRS)
    assert game.roads.route_names == (("a-t#1", "a-b-t", "a-t#2"), ("b-t",))
    assert game.tolled_edges == ("a-t#1", "a-b", "b-t", "a-t#2")
    state = game.initial_state(3, np.random.default_rng(0))
    mask = game.legal_actions(state, "participant")
    assert mask.shape == (3, 8, 3) and mask[:, :6].all() and (mask[:, 6:] == [True, False, False]).all()
    state, *_ = game.step(state, np.zeros((3, 1, 4)), {})
    where = columns(game.observation_layout("participant"))
    assert (game.observe(state, "participant")[0, :, where["group"]] == np.eye(2)[[0] * 6 + [1] * 2]).all()
    played = game.step(state, np.full((3, 8), 2), {})[0]
    assert (played.types[..., 0] == [0] * 6 + [1] * 2).all()
    np.testing.assert_allclose(-played.utilities, [[1.5] * 6 + [0.5 + 1 / 16] * 2] * 3)


def test_a_thousand_agents_play():
    game = routing(n=1000)
    many = GameVectorEnv(game, role="mechanism", num_envs=64, participants="random")
    many.reset(seed=0)
    _, welfare, *_ = many.step(np.zeros((64, 5), np.float32))
    uniform = np.exp(uniform_prior(game.subgame))
    assert abs(welfare.mean() - game.subgame.welfare(uniform)) < 4 * welfare.std() / 8


def test_a_game_is_equal_to_itself_however_its_network_was_given():
    lists, tuples = routing(n=4, network=TWO_PAIRS), routing(n=4, network=make_game("selfish_routing", n=4).roads)
    assert lists == pickle.loads(pickle.dumps(lists)) and hash(lists) == hash(routing(n=4, network=TWO_PAIRS))
    assert tuples == routing(n=4, network="braess") != lists


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n": 1}, r"n is 1, allowed: an integer in 2"),
        (
            {
                "n": 2,
                "network": {"edges": [["a", "b", [1]], ["b", "c", [1]]], "demands": [["a", "b", 99], ["a", "c", 1]]},
            },
            r"demands\[1\] is 0.02 of 2 agents",
        ),
        ({"network": "braes"}, r"'braes'.*did you mean 'braess'"),
        ({"network": {"edges": [["s", "v", [1]], ["t", "v", [1]]], "demands": [["s", "t", 1]]}}, "no route from 's'"),
        (
            {"network": {"edges": [["s", "t", [-1]]], "demands": [["s", "t", 1]]}},
            r"coefficient c_0 of edges\[0\] is -1",
        ),
        ({"network": 3}, "network is 3"),
        ({"tolled": ["v-x"]}, "tolled has the edge 'v-x'.*did you mean 'v-w'"),
        ({"tolled": []}, "tolled is .*allowed: null"),
        ({"tolled": ["v-w", "v-w"]}, "tolled is .*different edges"),
        ({"tolled": "v-w"}, "tolled is 'v-w'"),
        ({"tolled": [["a"]]}, r"tolled is \[\['a'\]\], allowed: null, or a list of different edges of s-v"),
        ({"tolled": [1]}, r"tolled is \[1\]"),
        ({"box": 0}, r"box is 0, allowed: a number in \(0, inf\)"),
        ({"box": math.inf}, "box is inf"),
        ({"tolls": 1}, "no parameter 'tolls'.*did you mean 'tolled'"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ParameterError, match=message):
        routing(**params)
