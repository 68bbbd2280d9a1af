"""Exact measures of voting rules over all profiles: published and independently enumerated values, as equalities."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.solvers.social_choice.dominance import fosd_regret
from lawgiver.envs.solvers.social_choice.enumeration import anonymous, manipulability, measures
from lawgiver.envs.solvers.social_choice.profiles import orders
from lawgiver.envs.solvers.social_choice.rules import RULES, lottery

# Ties go to the first: profiles in which somebody gains, share of voters who do, their gain, Condorcet efficiency.
INDEX: dict[tuple[int, int], dict[str, tuple[int, float, float, float]]] = {
    (3, 3): {
        "plurality": (36, 0.0741, 0.0370, 0.8824),
        "anti_plurality": (57, 0.1296, 0.0648, 0.6471),
        "borda": (51, 0.0926, 0.0463, 0.9559),
        **dict.fromkeys(("irv", "plurality_runoff"), (24, 0.0370, 0.0185, 0.9412)),
        **dict.fromkeys(("copeland", "minimax", "kemeny", "black", "schulze"), (24, 0.0370, 0.0185, 1.0)),
    },
    (3, 5): {
        "plurality": (1800, 0.0617, 0.0309, 0.8259),
        "anti_plurality": (2223, 0.1049, 0.0525, 0.6866),
        "borda": (2220, 0.0957, 0.0478, 0.9378),
        **dict.fromkeys(("irv", "plurality_runoff"), (720, 0.0370, 0.0185, 0.9751)),
        "copeland": (1080, 0.0340, 0.0170, 1.0),
        **dict.fromkeys(("minimax", "kemeny", "schulze"), (1080, 0.0347, 0.0174, 1.0)),
        "black": (1320, 0.0448, 0.0224, 1.0),
    },
    (3, 4): {
        "plurality": (240, 0.0556, 0.0278, 1.0),
        "borda": (402, 0.1227, 0.0613, 1.0),
        "irv": (120, 0.0370, 0.0185, 1.0),
        "copeland": (384, 0.1019, 0.0509, 1.0),
        "minimax": (186, 0.0440, 0.0220, 1.0),
    },
    (3, 7): {
        "plurality": (72240, 0.0549, 0.0274, 0.8281),
        "borda": (75670, 0.0883, 0.0442, 0.9278),
        "irv": (31290, 0.0347, 0.0180, 0.9578),
        "copeland": (40600, 0.0303, 0.0151, 1.0),
        "minimax": (40180, 0.0314, 0.0157, 1.0),
    },
    (4, 3): {
        "plurality": (4068, 0.1354, 0.0625, 0.7969),
        "borda": (7080, 0.2114, 0.0883, 0.9180),
        "irv": (2880, 0.0781, 0.0347, 0.8906),
        "copeland": (3144, 0.0852, 0.0353, 1.0),
        "minimax": (3288, 0.0865, 0.0369, 1.0),
    },
}
# Ties shared: ordinal expected welfare and mean FOSD regret.
WELFARE: dict[tuple[int, int], dict[str, tuple[float, float]]] = {
    (3, 3): {
        **dict.fromkeys(("minimax", "copeland", "black"), (0.62500, 0.03704)),
        "plurality": (0.61111, 0.07407),
        "irv": (0.62037, 0.03704),
        "borda": (0.62500, 0.09259),
        **dict.fromkeys(("random_dictator", "random_pair_majority"), (0.58333, 0.0)),
    },
    (3, 5): {
        "copeland": (0.59375, 0.03395),
        "minimax": (0.59433, 0.03472),
        "random_pair_majority": (0.56250, 0.0),
    },
    (3, 7): {
        "plurality": (0.57202, 0.05487),
        "irv": (0.57673, 0.03215),
        "copeland": (0.57812, 0.03029),
        "minimax": (0.57896, 0.03140),
        "black": (0.57963, 0.04244),
        "borda": (0.58027, 0.08831),
        "random_pair_majority": (0.55208, 0.0),
    },
    (4, 3): {"random_dictator": (0.60000, 0.0)},
}
CONDORCET = {
    (3, 3): 0.9444,
    (3, 5): 0.9306,
    (3, 7): 0.9250,
    (3, 9): 0.9220,
    (3, 11): 0.9202,
    (4, 3): 0.8889,
    (4, 4): 0.3420,
}
TRUTHFUL = ("random_dictator", "random_pair_majority")


def places(values: dict[Any, dict[str, Any]]) -> list[Any]:
    return [(m, n, name, row) for (m, n), rows in values.items() for name, row in rows.items()]


@pytest.mark.parametrize(("m", "n", "name", "row"), places(INDEX))
def test_manipulability_with_ties_to_the_first(m: int, n: int, name: str, row: tuple[int, float, float, float]) -> None:
    found = manipulability(name, n, m, ties="first")
    assert found.nitzan_kelly == Fraction(row[0], math.factorial(m) ** n) > 0
    rounded = (found.voters, found.gain, found.condorcet_efficiency)
    assert [round(float(value), 4) for value in rounded] == list(row[1:])


@pytest.mark.parametrize(("m", "n", "name", "row"), places(WELFARE))
def test_welfare_and_regret_with_ties_shared(m: int, n: int, name: str, row: tuple[float, float]) -> None:
    found = manipulability(name, n, m)
    assert (round(float(found.welfare), 5), round(float(found.regret), 5)) == row
    assert (found.regret == 0) == (found.nitzan_kelly == 0) == (name in TRUTHFUL)


@pytest.mark.parametrize(("m", "n"), CONDORCET)
def test_probability_of_a_condorcet_winner(m: int, n: int) -> None:
    found = manipulability("copeland", n, m).condorcet_winner
    assert round(float(found), 4) == CONDORCET[m, n]
    assert (m, n) != (3, 3) or found == Fraction(17, 18)


def test_a_further_size_takes_seconds() -> None:
    """Four alternatives and five voters: 98,280 profiles in place of 7,962,624."""
    profiles = anonymous(4, 4)
    assert len(profiles.counts) == math.comb(27, 4) and profiles.sum(np.ones(len(profiles.counts), int)) == 24**4
    assert profiles.others.sum() == 24**3


@pytest.mark.parametrize(
    "name", ["borda", "irv", "plurality_runoff", "maximal_lottery", "ranked_pairs", "random_dictator"]
)
@pytest.mark.parametrize("ties", ["share", "first"])
def test_anonymous_profiles_give_what_all_profiles_do(name: str, ties: str) -> None:
    """All 216 profiles of three voters, listed, each voter's six ballots tried one by one."""
    table = orders(3)
    profiles = np.array(list(product(range(6), repeat=3)))
    index = {tuple(profile): row for row, profile in enumerate(profiles)}
    lotteries = lottery(name, table[profiles], ties=ties)
    points = 2 - table
    gain, regret, manipulable = 0.0, 0.0, 0
    for row, profile in enumerate(profiles):
        gains = []
        for voter, true in enumerate(profile):
            cast = [index[(*profile[:voter], other, *profile[voter + 1 :])] for other in range(6)]
            gain += max(float((lotteries[other] - lotteries[row]) @ points[true]) for other in cast) / 2
            gains.append(fosd_regret(lotteries[row], lotteries[cast], table[true]).max())
        regret += sum(gains)
        manipulable += max(gains) > 1e-9
    found = manipulability(name, 3, 3, ties=ties)
    assert found.nitzan_kelly == Fraction(manipulable, 216)
    assert float(found.gain) == pytest.approx(gain / 648, abs=1e-12)
    assert float(found.regret) == pytest.approx(regret / 648, abs=1e-12)
    welfare = ((3 - table[profiles]).mean(1) / 4 * lotteries).sum(1).mean()
    assert float(found.welfare) == pytest.approx(welfare, abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (5, 3), (4, 3), (3, 4)])
def test_borda_has_the_largest_welfare_of_all_rules(n: int, m: int) -> None:
    """Expected utility falls by equal steps from place to place, so that nobody does better in any profile."""
    profiles = anonymous(n, m)
    sums = profiles.counts @ (m - profiles.orders)
    most = Fraction(profiles.sum(sums.max(1)), math.factorial(m) ** n * n * (m + 1))
    assert manipulability("borda", n, m).welfare == most
    for name, rule in RULES.items():
        if rule.reads in ("ranking", "plurality"):
            assert manipulability(name, n, m).welfare <= most


def test_a_rule_of_ones_own() -> None:
    def constant(counts: np.ndarray) -> np.ndarray:
        return np.tile([0.25, 0.75, 0.0], (len(counts), 1))

    found = manipulability(constant, 4, 3)
    assert (found.nitzan_kelly, found.gain, found.regret, found.welfare) == (0, 0, 0, Fraction(1, 2))
    assert found.condorcet_efficiency == Fraction(1, 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: manipulability("borda", 9, 4),
            "9 voters over 4 alternatives have 28048800 .*allowed: at most 300,000",
        ),
        (lambda: manipulability("borda", 900, 20), "900 voters .* at most 300,000"),
        (lambda: manipulability("borda", 3, 1), "m is 1, allowed: an integer in 2..20"),
        (lambda: manipulability("bord", 3, 3), "rule is 'bord': did you mean 'borda'"),
        (lambda: measures(np.full((56, 3), [0.1234567, 0.5, 0.3765433]), anonymous(3, 3)), "are no fractions with den"),
    ],
)
def test_errors_name_the_number_of_profiles(call: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        call()
