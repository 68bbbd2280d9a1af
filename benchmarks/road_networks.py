"""Print the equilibria of road networks in the TNTP format beside the published ones.

    python benchmarks/road_networks.py FOLDER

FOLDER holds files NAME_net.tntp and NAME_trips.tntp of the collection Transportation Networks for Research, and where
they are published NAME_flow.tntp. The files are for academic research and do not come with this project.
"""

import sys
import time
from pathlib import Path

import numpy as np

from lawgiver.envs.selfish_routing.network import as_network


def published(path):
    """Return the flows of a flow file by tail and head."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return {(row[0], row[1]): float(row[2]) for row in rows if row[0].isdecimal()}


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
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
