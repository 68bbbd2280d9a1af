"""Print the equilibria of road networks in the TNTP format beside the published ones.

    python benchmarks/road_networks.py FOLDER
    python benchmarks/road_networks.py synthetic SIDE ZONES PAIRS ACCURACY

The second assigns traffic on a made-up grid of SIDE x SIDE nodes with roads both ways, and prints links, pairs, the
relative gap that is asked for, the one that is reached, routes, and seconds of one core. FOLDER holds files
NAME_net.tntp and NAME_trips.tntp of the collection Transportation Networks for Research, and where they are published
NAME_flow.tntp. The files are for academic research and do not come with this project.
"""

import sys
import time
from pathlib import Path

import numpy as np

from lawgiver.envs.selfish_routing.assignment import Traffic, assign
from lawgiver.envs.selfish_routing.network import as_network
from lawgiver.envs.solvers.congestion.wardrop import PowerCosts


def published(path):
    """Return the flows of a flow file by tail and head."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return {(row[0], row[1]): float(row[2]) for row in rows if row[0].isdecimal()}


def synthetic(side, zones, pairs, accuracy, seed=0):
    """Print how long the equilibrium of a grid with BPR costs of power 4 takes, mean volume .7 of capacity or more."""
    rng, nodes = np.random.default_rng(seed), np.arange(side * side).reshape(side, side)
    ways = [(nodes[:, :-1], nodes[:, 1:]), (nodes[:-1], nodes[1:])]
    tails = np.concatenate([end.ravel() for a, b in ways for end in (a, b)])
    heads = np.concatenate([end.ravel() for a, b in ways for end in (b, a)])
    free, capacity = rng.uniform(1, 3, len(tails)), rng.uniform(0.5, 1.5, len(tails))
    costs = PowerCosts(np.stack([free, 0.15 * free * capacity**-4.0], 1), np.tile([0.0, 4.0], (len(tails), 1)))
    zone = rng.choice(side * side, zones, replace=False)
    origins, destinations = (x.ravel() for x in np.meshgrid(zone, zone, indexing="ij"))
    some = np.sort(rng.choice(np.flatnonzero(origins != destinations), pairs, replace=False))
    origins, destinations = origins[some], destinations[some]
    apart = np.abs(origins // side - destinations // side) + np.abs(origins % side - destinations % side)
    amounts = rng.exponential(1, pairs)
    amounts *= 0.7 * len(tails) / (amounts @ apart)
    closed = np.zeros(side * side, bool)
    traffic, start = (
        Traffic(tails, heads, side * side, costs, origins, destinations, amounts, closed),
        time.process_time(),
    )
    found = assign(traffic, accuracy=accuracy)
    took = time.process_time() - start
    print(f"| {len(tails):,} | {pairs:,} | {accuracy:g} | {found.gap:.1e} | {len(found.flows):,} | {took:.0f} |")


def main(folder):
    print("| network | links | pairs | total cost | relative gap | off published flows | optimum | anarchy | s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for path in sorted(folder.glob("*_net.tntp")):
        network, start = as_network(str(path)), time.perf_counter()
        found, best = network.equilibrium, network.optimum
        took, flows, off = time.perf_counter() - start, path.with_name(path.name.replace("_net", "_flow")), "-"
        if flows.is_file():
            known = published(flows)
            theirs = np.array([known[tail, head] for tail, head, _ in network.edges])
            off = f"{np.abs(found.loads - theirs).max():.2g}"
        print(
            f"| {path.name.removesuffix('_net.tntp')} | {len(network.edges):,} | {len(network.demands):,} "
            f"| {found.total_cost:,.2f} | {found.gap:.1e} | {off} | {best.total_cost:,.2f} "
            f"| {found.total_cost / best.total_cost:.5f} | {took:.1f} |"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["synthetic"] and len(sys.argv) == 6:
        synthetic(*map(int, sys.argv[2:5]), float(sys.argv[5]))
    elif len(sys.argv) == 2:
        main(Path(sys.argv[1]))
    else:
        sys.exit(__doc__)
