"""Networks: the closed forms of Pigou and Braess, equilibria of random networks, and what is refused."""

import math
from fractions import Fraction

import numpy as np
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.selfish_routing import SelfishRouting, solutions
from lawgiver.envs.selfish_routing.network import NETWORKS, Network, as_network
from lawgiver.envs.solvers.congestion.anonymous import expected_payoffs
from lawgiver.envs.solvers.congestion.pure_congestion import pure_optimum
from lawgiver.envs.solvers.congestion.system_optimum import (
    least_tolls,
    marginal_tolls,
    price_of_anarchy,
    system_optimum,
)
from lawgiver.envs.solvers.congestion.wardrop import option_costs, potential, total_cost, wardrop_equilibrium
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import exact_scores

CLOSE = 1e-6


def test_pigou():
    game = NETWORKS["pigou"].nonatomic()
    selfish, best, tolls = wardrop_equilibrium(game), system_optimum(game), marginal_tolls(game)
    np.testing.assert_allclose(selfish.loads, (1, 0), atol=CLOSE)
    np.testing.assert_allclose(best.loads, (0.5, 0.5), atol=CLOSE)
    np.testing.assert_allclose(tolls, (0.5, 0), atol=CLOSE)
    assert selfish.total_cost == pytest.approx(1, abs=CLOSE)
    assert best.total_cost == pytest.approx(0.75, abs=CLOSE)
    assert price_of_anarchy(game) == pytest.approx(4 / 3, abs=CLOSE)
    assert wardrop_equilibrium(game, tolls).total_cost == pytest.approx(0.75, abs=CLOSE)
    assert np.abs(least_tolls(game, best.flows)) @ best.loads == pytest.approx(0.25, abs=CLOSE)


def test_braess():
    network = NETWORKS["braess"]
    game = network.nonatomic()
    selfish, best, tolls = wardrop_equilibrium(game), system_optimum(game), marginal_tolls(game)
    assert network.edge_names == ("s-v", "v-t", "s-w", "w-t", "v-w")
    np.testing.assert_allclose(selfish.loads, (1, 0, 0, 1, 1), atol=CLOSE)
    np.testing.assert_allclose(best.loads, (0.5, 0.5, 0.5, 0.5, 0), atol=CLOSE)
    np.testing.assert_allclose(tolls, (0.5, 0, 0, 0.5, 0), atol=CLOSE)
    assert selfish.total_cost == pytest.approx(2, abs=CLOSE)
    assert best.total_cost == pytest.approx(1.5, abs=CLOSE)
    assert price_of_anarchy(game) == pytest.approx(4 / 3, abs=CLOSE)
    for bridge in (0.0, 0.25, 0.5, 3.0):  # the x who cross pay toll + 1 + x, the others 3/2 + x/2
        tolled = wardrop_equilibrium(game, np.array([0, 0, 0, 0, bridge]))
        over = max(1 - 2 * bridge, 0.0)
        assert tolled.loads[4] == pytest.approx(over, abs=CLOSE)
        assert tolled.total_cost == pytest.approx(1.5 + over**2 / 2, abs=CLOSE)
    assert wardrop_equilibrium(game, tolls).total_cost == pytest.approx(1.5, abs=CLOSE)
    cheapest = least_tolls(game, best.flows)  # the threat of a toll on the empty bridge moves no money
    np.testing.assert_allclose(cheapest, (0, 0, 0, 0, 0.5), atol=CLOSE)


def test_agents_come_close_to_the_mass_as_they_become_many():
    network = NETWORKS["braess"]
    for n in (4, 20, 60):
        game = network.atomic(n)
        assert -pure_optimum(game).welfare / n == pytest.approx(1.5)
    half = np.array([[0.5, 0.0, 0.5]])
    atomic, limit = expected_payoffs(network.atomic(2000), half), -option_costs(network.nonatomic(), half)
    np.testing.assert_allclose(atomic, limit, atol=2 / 2000)


nodes = st.integers(0, 4)
coefficients = st.lists(st.floats(0, 2).map(lambda c: round(c, 3)), min_size=1, max_size=4)


@st.composite
def networks(draw, cost=coefficients):
    """Draw networks of up to 5 nodes and 12 edges, with one or two demands that have routes."""
    ends = st.tuples(nodes, nodes).filter(lambda pair: pair[0] != pair[1])
    edges = draw(st.lists(st.tuples(ends, cost), min_size=4, max_size=12))
    pairs = draw(st.lists(ends, min_size=1, max_size=2, unique=True))
    shares = [1.0] if len(pairs) == 1 else [0.3, 0.7]
    try:
        return Network(
            tuple((*end, tuple(c)) for end, c in edges),
            tuple((*pair, share) for pair, share in zip(pairs, shares, strict=True)),
        )
    except ParameterError:
        assume(False)


@settings(deadline=None, max_examples=60)
@given(networks(), st.integers(0, 2**32 - 1))
def test_used_routes_of_an_equilibrium_cost_the_least_and_marginal_tolls_make_it_optimal(network, seed):
    game = network.nonatomic()
    selfish, best, tolls = wardrop_equilibrium(game), system_optimum(game), marginal_tolls(game)
    rng = np.random.default_rng(seed)
    for flow, charged in ((selfish, None), (best, tolls)):
        costs = option_costs(game, flow.flows, charged)
        least = np.where(game.legal, costs, np.inf).min(1, keepdims=True)
        assert ((costs - least)[flow.flows > 0] < 1e-5).all()
        np.testing.assert_allclose(flow.flows.sum(1), game.shares, atol=1e-9)
        assert (flow.flows >= 0).all() and not flow.flows[~game.legal].any()
    for _ in range(10):
        other = rng.random(game.legal.shape) ** 4 * game.legal
        other *= (game.shares / other.sum(1))[:, None]
        assert potential(game, selfish.flows) <= potential(game, other) + 1e-9
        assert best.total_cost <= total_cost(game, other) + 1e-9
    tolled = wardrop_equilibrium(game, tolls)
    assert potential(game, best.flows, tolls) == pytest.approx(potential(game, tolled.flows, tolls), abs=1e-8)
    cheapest = least_tolls(game, best.flows)
    costs = option_costs(game, best.flows, cheapest)
    least = np.where(game.legal, costs, np.inf).min(1, keepdims=True)
    assert ((costs - least)[best.flows > 1e-7] < 1e-6).all()
    assert np.abs(cheapest) @ best.loads <= tolls @ best.loads + 1e-6


@settings(deadline=None, max_examples=40)
@given(networks(st.tuples(st.floats(0, 1), st.floats(0.05, 1))))
def test_selfishness_costs_a_third_at_most_where_costs_are_affine(network):
    game = network.nonatomic()
    assert 1 - 1e-9 <= price_of_anarchy(game) <= 4 / 3 + 1e-9
    best = system_optimum(game)  # costs rise strictly, so that loads under tolls are unique
    tolled = wardrop_equilibrium(game, marginal_tolls(game))
    np.testing.assert_allclose(tolled.loads, best.loads, atol=1e-5)
    assert tolled.total_cost == pytest.approx(best.total_cost, abs=1e-6)


@pytest.mark.parametrize("power", [12, 16, 30])
def test_scores_of_people_on_steep_roads(power):
    """Ten roads 10^p x^p and ten agents: all alike are used alike; two kinds meet where bisection says."""
    n, equal = 10, [["s", "t", [0] * power + [10.0**power]]] * 10
    game = make_game("selfish_routing", n=n, network={"edges": equal, "demands": [["s", "t", 1]]})
    ways = [math.comb(n - 1, k) for k in range(n)]
    each = sum(Fraction(w * 9 ** (9 - k) * (k + 1) ** power, 10**9) for k, w in enumerate(ways))
    found = exact_scores(game, make_policy(game, "mechanism", "no_mechanism"), inverse_temperature=1.0)
    assert found["welfare"] == pytest.approx(-n * float(each), rel=1e-9)
    dearer = [["s", "t", [0] * power + [2 * 10.0**power]], *equal[1:]]
    game = make_game("selfish_routing", n=n, network={"edges": dearer, "demands": [["s", "t", 1]]})
    level = 100 / 10.0**power  # so that people tell the roads apart, and do not settle on one reply

    def cost(q):
        met = [w * Fraction(q) ** k * (1 - Fraction(q)) ** (n - 1 - k) for k, w in enumerate(ways)]
        return float(sum(m * (k + 1) ** power for k, m in enumerate(met)))

    low, high = 0.0, 0.1
    for _ in range(60):
        q = (low + high) / 2
        other = (1 - q) / 9
        wanted = math.exp(-level * 2 * cost(q)) / (math.exp(-level * 2 * cost(q)) + 9 * math.exp(-level * cost(other)))
        low, high = (q, high) if wanted > q else (low, q)
    found = exact_scores(game, make_policy(game, "mechanism", "no_mechanism"), inverse_temperature=level)
    assert found["welfare"] == pytest.approx(-n * (2 * q * cost(q) + (1 - q) * cost((1 - q) / 9)), rel=1e-8)


def test_equilibria_that_take_too_much_memory_are_refused_before_they_are_begun():
    edges = [[f"a{i}", f"b{i}", [1, k]] for i in range(60) for k in range(10)]
    network = {"edges": edges, "demands": [[f"a{i}", f"b{i}", 1] for i in range(60)]}
    game = make_game("selfish_routing", n=600, network=network)
    assert game.welfare_scale > 0
    with pytest.raises(UnsupportedGameError, match=r"600 agents on 600 resources .* or of 371 agents"):
        exact_scores(game, make_policy(game, "mechanism", "no_mechanism"), inverse_temperature=1.0)


def test_a_network_is_plain_data():
    text = """
    edges: [[a, 1, [0, 1]], [1, b, [1]], [a, b, [0, 0, 2.5]], [a, b, [3]], [b, c, [0]]]
    demands: [[a, b, 0.75], [1, c, 0.25]]
    """
    network = as_network(yaml.safe_load(text))
    assert network.routes == (((0, 1), (2,), (3,)), ((1, 4),))
    assert network.edge_names == ("a-1", "1-b", "a-b#1", "a-b#2", "b-c")
    assert network.legal.tolist() == [[True] * 3, [True, False, False]]
    assert hash(network) == hash(as_network(network)) and as_network("pigou") is NETWORKS["pigou"]
    game = network.atomic(8)
    assert game.counts == (6, 2)
    np.testing.assert_allclose(game.table[:, 4], (-0.5, -1, -0.625, -3, 0))


@pytest.mark.parametrize("unit", [1e-11, 1e9])
@pytest.mark.parametrize("name", ["pigou", "braess"])
def test_the_unit_of_costs_does_not_matter(name, unit):
    plain = NETWORKS[name]
    network = Network(tuple((a, b, tuple(unit * c for c in cost)) for a, b, cost in plain.edges), plain.demands)
    game = network.nonatomic()
    assert price_of_anarchy(game) == pytest.approx(4 / 3, abs=CLOSE)
    np.testing.assert_allclose(system_optimum(game).loads, system_optimum(plain.nonatomic()).loads, atol=CLOSE)
    scaled = SelfishRouting(n=10, network=network)
    for solution, unscaled in zip(
        scaled.known_solutions(), SelfishRouting(n=10, network=plain).known_solutions(), strict=True
    ):
        assert solution.residual() < 1e-9
        factor = 1 if "anarchy" in solution.name else unit
        assert solution.value() == pytest.approx(factor * unscaled.value(), abs=factor * 1e-9)


def test_the_least_money_is_known_in_closed_form():
    for name, least in (("pigou", 0.25), ("braess", 0.0)):  # half of the mass pays 1/2; a toll on a bridge left empty
        known = {one.name: one for one in SelfishRouting(n=10, network=name).known_solutions()}
        (money,) = [one for text, one in known.items() if text.startswith("least money")]
        assert money.value() == pytest.approx(least, abs=1e-8) and money.residual() < 1e-8


def test_the_residual_of_the_price_of_anarchy_finds_a_wrong_price(monkeypatch):
    game = SelfishRouting(n=10)
    (price,) = [solution for solution in game.known_solutions() if "price" in solution.name]
    assert price.residual() < 1e-9
    monkeypatch.setattr(solutions, "price_of_anarchy", lambda _: 1.33)
    assert price.residual() > 1e-3


def test_costs_of_zero_have_no_anarchy():
    free = Network((("s", "t", (0,)),), (("s", "t", 1),)).nonatomic()
    assert price_of_anarchy(free) == 1
    lured = Network((("s", "t", (0, 0)), ("s", "t", (0, 1))), (("s", "t", 1),)).nonatomic()
    assert price_of_anarchy(lured) == pytest.approx(1)


ROAD = [["s", "t", [0, 1]]]
DEMAND = [["s", "t", 1]]


@pytest.mark.parametrize(
    ("edges", "demands", "named"),
    [
        ([["s", "t", [0, -1]]], DEMAND, r"coefficient c_1 of edges\[0\] is -1, allowed: a number in \[0, inf\)"),
        ([["s", "t", [float("nan")]]], DEMAND, r"coefficient c_0 of edges\[0\]"),
        ([["s", "t", []]], DEMAND, r"the cost of edges\[0\]"),
        ([["s", "t", 1]], DEMAND, r"the cost of edges\[0\]"),
        ([["s", "s", [1]]], DEMAND, r"edges\[0\] leads from 's' to itself"),
        ([["s", "t"]], DEMAND, r"edges\[0\] is \['s', 't'\], allowed: \[tail"),
        ([["s", 0.5, [1]]], DEMAND, r"edges\[0\] has the node 0.5"),
        ([], DEMAND, r"edges is \[\]"),
        ("pigou", DEMAND, r"edges is 'pigou'"),
        (ROAD, [], r"demands is \[\]"),
        (ROAD, [["t", "s", 1]], r"demands\[0\] has no route from 't' to 's'"),
        (ROAD, [["s", "u", 1]], r"demands\[0\] has the node 'u', which no edge touches: .*allowed: s, t"),
        (ROAD, [["s", "s", 1]], r"demands\[0\] leads from 's' to itself"),
        (ROAD, [["s", "t", 0]], r"the share of demands\[0\] is 0"),
        (ROAD, [["s", "t", 0.5], ["s", "t", 0.5]], r"demands\[1\] is from 's' to 't' again"),
    ],
)
def test_a_faulty_network_is_refused_by_name(edges, demands, named):
    with pytest.raises(ParameterError, match=named):
        as_network({"edges": edges, "demands": demands})


def test_names_and_keys_that_are_no_network_are_refused():
    with pytest.raises(ParameterError, match="did you mean 'braess'"):
        as_network("braes")
    with pytest.raises(ParameterError, match=r"no parameter 'edge'.*did you mean 'edges'"):
        as_network({"edge": ROAD, "demands": DEMAND})
    with pytest.raises(ParameterError, match="demands missing"):
        as_network({"edges": ROAD})
    with pytest.raises(ParameterError, match="network is 3"):
        as_network(3)


def test_agents_are_shared_out_in_proportion():
    network = Network((("s", "t", (1,)), ("t", "u", (1,))), (("s", "t", 0.5), ("s", "u", 0.5)))
    assert network.atomic(6).counts == (3, 3)
    assert sum(network.atomic(5).counts) == 5
    uneven = Network(network.edges, (("s", "t", 2.5), ("s", "u", 0.01)))
    assert uneven.counts(251) == (250, 1)
    with pytest.raises(ParameterError, match=r"demands\[1\] is 0.0398 of 10 agents, allowed: one at least"):
        uneven.counts(10)


def test_the_unit_of_demands_is_that_of_costs():
    edges = (("s", "t", (0, 10)), ("s", "t", (50, 1)))
    known = SelfishRouting(n=6, network={"edges": edges, "demands": [["s", "t", 6]]}).known_solutions()
    assert known[0].value() == pytest.approx(10 * 56 / 11)
    halves = Network((("s", "t", (0, 1)),), (("s", "t", 0.5),))
    assert wardrop_equilibrium(halves.nonatomic()).total_cost == pytest.approx(0.5)


def test_no_route_is_found_quickly_and_dead_ends_cost_nothing():
    dense = tuple((i, j, (1,)) for i in range(25) for j in range(25) if i != j)
    with pytest.raises(ParameterError, match="no route"):
        Network((*dense, ("x", "y", (1,))), ((0, "y", 1),))
    assert Network((*dense, (24, "z", (1,))), ((0, 24, 1),)).listed is None
