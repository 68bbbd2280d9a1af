"""Road networks in the TNTP format of the public collection Transportation Networks for Research.

A network file has metadata, ``<NUMBER OF LINKS> 76``, up to ``<END OF METADATA>``; then a line for each link: init
node, term node, capacity, length, free flow time, B, power, and speed, toll, type, which may be missing. A trips file
has ``Origin 1`` and, below, ``2 : 100.0;``. A ``~`` begins a comment; a ``;`` ends a line or an entry. The time on a
link that v vehicles use is free_flow_time (1 + B (v / capacity)^power). Costs are times: lengths and tolls are not
read, so that published equilibria of generalised costs, with weights for distance and toll, are others.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lawgiver.envs.core.errors import ParameterError

LARGEST_FILE = 200_000_000
"""Largest size of a file in bytes."""


def read_tntp(
    network: str | Path, trips: str | Path | None = None
) -> tuple[list[list[object]], list[list[object]], list[str]]:
    """Return edges, demands and closed nodes, the plain data of a network, of a TNTP network file and its trips file.

    Demands within a zone and of 0 are left out. Nodes below ``<FIRST THRU NODE>`` are closed: no route passes through.

    Args:
        network: path of the ``..._net.tntp`` file.
        trips: path of the trips file; by default the ``..._trips.tntp`` file beside it.

    Raises:
        ParameterError: naming the file and the line that is wrong.
    """
    path = Path(network)
    metadata, lines = _split(path)
    edges = [_link(f"{path}, line {i}", line) for i, line in lines]
    claimed = _claim(path, metadata, "NUMBER OF LINKS", len(edges))
    if len(edges) != claimed or not edges:
        raise ParameterError(f"{path} has {len(edges):,} links, allowed: the {claimed:,} of its <NUMBER OF LINKS>")
    first = _claim(path, metadata, "FIRST THRU NODE", 1)
    nodes = sorted({int(str(node)) for tail, head, _ in edges for node in (tail, head)})
    table = Path(trips) if trips is not None else path.with_name(path.name.replace("_net.", "_trips."))
    if table == path:
        raise ParameterError(f"{path} has no '_net' in its name, allowed: to name its trips file as well")
    known = {str(node) for node in nodes}
    return edges, _demands(table, known), [str(node) for node in nodes if node < first]


def _split(path: Path) -> tuple[dict[str, tuple[int, str]], list[tuple[int, str]]]:
    if not path.is_file():
        raise ParameterError(f"{path} is no file, allowed: a file in the TNTP format")
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise ParameterError(f"{path} has {size:,} bytes, allowed: at most {LARGEST_FILE:,}")
    metadata: dict[str, tuple[int, str]] = {}
    rest: list[tuple[int, str]] = []
    began = False
    for i, raw in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), 1):
        line = raw.partition("~")[0].strip()
        if tag := re.match(r"<([^>]*)>\s*(.*)", raw.strip()):
            if tag[1].strip().upper() == "END OF METADATA":
                began = True
            elif not began:
                metadata[tag[1].strip().upper()] = (i, tag[2].partition("~")[0].strip(" ;\t"))
            continue
        if line.strip("; \t"):
            rest.append((i, line))
    if not began:
        raise ParameterError(f"{path} has no line <END OF METADATA>, allowed: a file in the TNTP format")
    return metadata, rest


def _claim(path: Path, metadata: dict[str, tuple[int, str]], tag: str, otherwise: int) -> int:
    line, text = metadata.get(tag, (0, str(otherwise)))
    if not text.isdecimal() or len(text) > 15:
        raise ParameterError(f"{path}, line {line}: <{tag}> is {text!r}, allowed: a whole number")
    return int(text)


def _number(where: str, name: str, text: str, *, above: bool = False) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 <= value < np.inf or (above and value == 0):
        raise ParameterError(f"{where}: {name} is {text!r}, allowed: a number {'above' if above else '>='} 0")
    return value


def _node(where: str, text: str) -> str:
    if not text.isdecimal() or len(text) > 15:
        raise ParameterError(f"{where}: the node is {text!r}, allowed: a whole number")
    return str(int(text))


def _link(where: str, line: str) -> list[object]:
    parts = line.rstrip("; \t").split()
    if len(parts) < 7:
        raise ParameterError(
            f"{where} has {len(parts)} fields, allowed: init node, term node, capacity, length, free flow time, B and"
            " power at least"
        )
    tail, head = (_node(where, text) for text in parts[:2])
    if tail == head:
        raise ParameterError(f"{where} leads from node {tail} to itself, allowed: two different nodes")
    free, b, power = (
        _number(where, name, text)
        for name, text in zip(("the free flow time", "B", "the power"), parts[4:7], strict=True)
    )
    rises = b > 0 and power > 0
    capacity = _number(where, "the capacity", parts[2], above=rises) if rises else 1.0
    return [tail, head, {"free_flow": free, "b": b, "capacity": capacity, "power": power}]


def _demands(path: Path, known: set[str]) -> list[list[object]]:
    _, lines = _split(path)
    found: dict[tuple[str, str], float] = {}
    origin = None
    for i, line in lines:
        where = f"{path}, line {i}"
        if start := re.match(r"[Oo]rigin\s+(\S+)\s*$", line.rstrip("; \t")):
            origin = _node(where, start[1])
            continue
        for entry in filter(None, (part.strip() for part in line.split(";"))):
            to, colon, amount = (part.strip() for part in entry.partition(":"))
            if not colon or origin is None:
                raise ParameterError(f"{where}: {entry!r} is no demand, allowed: 'Origin 1', then '2 : 100.0;'")
            pair, trips = (origin, _node(where, to)), _number(where, "the number of trips", amount)
            if pair in found:
                raise ParameterError(f"{where}: trips from {pair[0]} to {pair[1]} again, allowed: each pair once")
            for node in pair:
                if trips > 0 and pair[0] != pair[1] and node not in known:
                    raise ParameterError(f"{where}: no link touches node {node}, allowed: nodes of the network file")
            found[pair] = trips
    demands: list[list[object]] = [[*pair, trips] for pair, trips in _travelling(found)]
    if not demands:
        raise ParameterError(f"{path} has no trips between different nodes, allowed: one pair at least")
    return demands


def _travelling(found: dict[tuple[str, str], float]) -> Iterator[tuple[tuple[str, str], float]]:
    return ((pair, trips) for pair, trips in found.items() if trips > 0 and pair[0] != pair[1])
