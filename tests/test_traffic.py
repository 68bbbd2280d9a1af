"""Traffic assignment against closed forms and the solver of listed routes; TNTP files, and what is wrong in them."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from lawgiver.envs.core.errors import LawgiverError, ParameterError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.selfish_routing.assignment import assign
from lawgiver.envs.selfish_routing.network import Network, as_network
from lawgiver.envs.selfish_routing.tntp import read_tntp
from lawgiver.envs.solvers.congestion.wardrop import relative_gap, total_cost, wardrop_equilibrium

BRAESS = """<NUMBER OF ZONES> 2
<NUMBER OF NODES> 4
<FIRST THRU NODE> 1
<NUMBER OF LINKS> 5
<END OF METADATA>\t


~ \tinit\tterm\tcapacity\tlength\tfree\tb\tpower\tspeed\ttoll\ttype\t;
\t1\t3\t1\t100\t0.00000001\t1000000000\t1\t0\t0\t1\t;
\t1\t4\t1\t100\t50\t0.02\t1\t0\t0\t1\t;   ~ a comment
\t3\t2\t1\t100\t50\t0.02\t1
\t3\t4\t1\t100\t10\t0.1\t1;
\t4\t2\t1\t100\t0.00000001\t1000000000\t1\t0\t0\t1;
"""
TRIPS = """<NUMBER OF ZONES> 2
<TOTAL OD FLOW> 6.0
<END OF METADATA>

Origin \t1
    1 :      0.0;     2 :     6.0;
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "Braess_net.tntp").write_text(BRAESS)
    (tmp_path / "Braess_trips.tntp").write_text(TRIPS)
    return tmp_path / "Braess_net.tntp"


def grid(size, rng=None, power=4.0):
    """Return a one-way grid from one corner to the other, BPR roads of random times and capacities."""
    rng = rng or np.random.default_rng(0)
    edges = []
    for i in range(size):
        for j in range(size):
            for k, m in ((i + 1, j), (i, j + 1)):
                if max(k, m) < size:
                    times = {"free_flow": float(rng.uniform(1, 2)), "capacity": float(rng.uniform(0.1, 0.5))}
                    edges.append([f"{i}.{j}", f"{k}.{m}", {**times, "power": power}])
    return {"edges": edges, "demands": [["0.0", f"{size - 1}.{size - 1}", 1.0]]}


def test_braess_from_files(files):
    network = as_network(str(files))
    assert network == as_network({"tntp": files, "trips": files.with_name("Braess_trips.tntp")})
    assert network.equilibrium.total_cost / 6 == pytest.approx(92) and network.optimum.total_cost / 6 == pytest.approx(
        83
    )
    game = make_game("selfish_routing", n=6, network=str(files), box=100)
    selfish, best, *_ = (known.value() for known in game.known_solutions())
    assert (selfish, best) == pytest.approx((92, 83))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("power", [0.5, 1, 3.7, 10])
def test_generated_routes_end_where_all_routes_do(seed, power):
    network = as_network(grid(4, np.random.default_rng(seed), power))
    selfish = wardrop_equilibrium(network.nonatomic())
    assert network.equilibrium.total_cost == pytest.approx(selfish.total_cost, rel=1e-7)
    assert network.equilibrium.gap < 1e-9
    np.testing.assert_allclose(network.equilibrium.loads, selfish.loads, atol=1e-5)


def test_a_grid_with_too_many_routes_to_list_plays():
    game = make_game("selfish_routing", n=20, network=grid(6), box=100)
    assert game.roads.listed is None and 1 < len(game.roads.routes[0]) < 200
    values = [known.value() for known in game.known_solutions()]
    assert values[1] < values[0] and values[2] == pytest.approx(values[0] / values[1])
    tolls = game.action_space("mechanism")
    state = game.initial_state(2, np.random.default_rng(0))
    state, *_ = game.step(state, np.zeros((2, *tolls.shape))[:, None], {})
    assert game.step(state, np.zeros((2, 20), int), {})[3 - 1].all()


def test_many_pairs_at_once():
    rng, size = np.random.default_rng(3), 5
    plain = grid(size, rng)
    there_and_back = plain["edges"] + [[head, tail, cost] for tail, head, cost in plain["edges"]]
    nodes = sorted({edge[0] for edge in there_and_back})
    pairs = [(a, b, float(rng.uniform(0, 0.02))) for a in nodes[::3] for b in nodes[::5] if a != b]
    network = Network(tuple(map(tuple, there_and_back)), tuple(pairs))
    found = network.equilibrium
    assert found.gap < 1e-9 and network.optimum.total_cost <= found.total_cost
    carried = np.zeros(len(pairs))
    np.add.at(carried, found.pairs, found.flows)
    np.testing.assert_allclose(carried, [amount for *_, amount in pairs])


def test_an_assignment_is_one_by_shortest_ways_that_are_looked_for_afresh():
    rng, side = np.random.default_rng(1), 6
    plain = grid(side, rng)
    both = plain["edges"] + [[head, tail, cost] for tail, head, cost in plain["edges"]]
    nodes = sorted({edge[0] for edge in both})
    pairs = [[a, b, float(rng.uniform(0, 0.06))] for a in nodes[::2] for b in nodes[::2] if a != b]
    traffic = as_network({"edges": both, "demands": pairs}).traffic
    rough = assign(traffic, accuracy=1e-3)
    found = assign(traffic, accuracy=1e-8)
    assert 1e-8 < rough.gap <= 1e-3 and found.gap <= 1e-8 and (found.flows >= 0).all()
    np.testing.assert_allclose(np.bincount(found.pairs, found.flows), traffic.amounts)
    loads = np.zeros(len(both))
    for pair, route, flow in zip(found.pairs, found.routes, found.flows, strict=True):
        assert traffic.tails[route[0]] == traffic.origins[pair]
        assert traffic.heads[route[-1]] == traffic.destinations[pair]
        assert (traffic.heads[route[:-1]] == traffic.tails[route[1:]]).all()
        loads[route] += flow
    np.testing.assert_allclose(found.loads, loads, atol=1e-12)
    costs = traffic.costs.cost(loads)
    graph = csr_matrix((costs, (traffic.tails, traffic.heads)))
    least = dijkstra(graph)[traffic.origins, traffic.destinations]
    assert loads @ costs - traffic.amounts @ least <= 2e-8 * (loads @ costs)


def test_no_route_passes_through_a_closed_node():
    edges = (("a", "z", (1,)), ("z", "b", (1,)), ("a", "b", (5,)), ("z", "c", (1,)))
    for closed, cost in (((), 2), (("z",), 5)):
        network = Network(edges, (("a", "b", 1),), closed)
        assert network.equilibrium.total_cost == pytest.approx(cost)
        assert wardrop_equilibrium(network.nonatomic()).total_cost == pytest.approx(cost)
    assert Network(edges, (("z", "c", 1),), ("z",)).equilibrium.total_cost == pytest.approx(1)
    with pytest.raises(ParameterError, match="no route from 'a' to 'c'"):
        Network(edges, (("a", "c", 1),), ("z",))


@pytest.mark.parametrize(("name", "tolls"), [("pigou", (0.5, 0)), ("braess", (0.5, 0, 0, 0.5, 0))])
def test_the_tolls_of_pigou(name, tolls):
    game = make_game("selfish_routing", n=10, network=name)
    np.testing.assert_allclose(game.members["pigou"], tolls, atol=1e-8)
    assert make_policy(game, "mechanism", "pigou") is not None
    with pytest.raises(LawgiverError, match="'pigou' is not a rule"):
        make_policy(make_game("selfish_routing", n=10, network=name, box=0.4), "mechanism", "pigou")
    mass = game.roads.nonatomic()
    tolled = wardrop_equilibrium(mass, np.array(game.members["pigou"]))
    assert relative_gap(mass, tolled.flows, np.array(game.members["pigou"])) < 1e-9
    assert total_cost(mass, tolled.flows) == pytest.approx({"pigou": 0.75, "braess": 1.5}[name])


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\t1\t3\t1\t100\t0.00000001", "\t1\tx\t1\t100\t0.00000001", r"Braess_net.tntp, line 9: the node is 'x'"),
        ("\t50\t0.02\t1\t0\t0\t1\t;   ~", "\t-5\t0.02\t1;~", r"line 10: the free flow time is '-5'"),
        ("\t3\t2\t1\t100\t50", "\t3\t2\t0\t100\t50", r"line 11: the capacity is '0', allowed: a number above 0"),
        ("\t3\t4\t1\t100\t10\t0.1\t1;", "\t3\t4\t1;", r"line 12 has 3 fields"),
        ("\t3\t4\t1\t100\t10\t0.1\t1;\n", "", r"has 4 links, allowed: the 5 of"),
        ("LINKS> 5", "LINKS> many", r"line 4: <NUMBER OF LINKS> is 'many'"),
        ("<END OF METADATA>", "", "no line <END OF METADATA>"),
    ],
)
def test_a_wrong_network_file_is_named_with_its_line(files, old, new, told):
    files.write_text(BRAESS.replace(old, new))
    with pytest.raises(ParameterError, match=told):
        as_network(str(files))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("6.0;", "six;", r"Braess_trips.tntp, line 6: the number of trips is 'six'"),
        ("2 :", "9 :", r"line 6: no link touches node 9"),
        ("6.0;", "6.0; 2 : 1;", r"line 6: trips from 1 to 2 again"),
        ("Origin \t1\n", "", r"line 5: '1 :      0.0' is no demand"),
        ("6.0;", "0;", r"no trips between different nodes"),
    ],
)
def test_a_wrong_trips_file_is_named_with_its_line(files, old, new, told):
    head, body = TRIPS.split("METADATA>\n")
    files.with_name("Braess_trips.tntp").write_text(f"{head}METADATA>\n{body.replace(old, new)}")
    with pytest.raises(ParameterError, match=told):
        read_tntp(files)


def test_missing_files_and_links_without_power(files, tmp_path):
    with pytest.raises(ParameterError, match="is no file"):
        as_network(str(tmp_path / "None_net.tntp"))
    with pytest.raises(ParameterError, match="is no file"):
        as_network("/dev/zero.tntp")
    files.write_text(BRAESS.replace("\t3\t4\t1\t100\t10\t0.1\t1;", "\t3\t4\t0\t100\t10\t0\t0;"))
    assert as_network(str(files)).edges[3][2].terms == ((10.0, 0.0),)
