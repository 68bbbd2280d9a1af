"""What is printed of a run: titles, units, populations, counts without errors, and errors that are right."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import lawgiver
from lawgiver.envs.core.errors import ConvergenceError
from lawgiver.envs.core.game import KnownSolution
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.trainers.cli.commands import app, keyed
from lawgiver.trainers.cli.ending import commands, ending
from lawgiver.trainers.cli.printed_tables import show_summary
from lawgiver.trainers.cli.printing import show_cells
from lawgiver.trainers.rllib import trainer
from lawgiver.trainers.runs.headings import equilibrium_people
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.runs.training_run import TrainingRun
from lawgiver.trainers.statistics.estimate import Estimate
from lawgiver.trainers.statistics.seeds import aggregate
from lawgiver.trainers.tables.cells import cell

CANONICAL = {
    "rule": {"formula": "w_i = ...", "parameters": {"p": 2.87, "q": 0.57}},
    "populations": {"exact": "participants of inverse temperature 1, anchor uniform, in their exact equilibrium"},
    "log_nash_welfare": {"libertarian": 7.989, "learned": 8.446, "reachable": 8.467, "ceiling": 8.688},
    "gini": {"libertarian": 0.23, "learned": 0.11, "reachable": 0.1, "ceiling": None},
    "gap_closed": 0.62,
    "reachable_gap_closed": 0.95,
    "online_minus_exact": -0.02,
    "iterations": 300,
    "updates": {"participant": 300, "mechanism": 250},
    "trained_participants": {
        "played": {"log_nash_welfare": Estimate.normal(8.40, 0.0204, 4_096), "gini": 0.12},
        "equilibrium": {"log_nash_welfare": 8.446, "gini": 0.11},
    },
    "robustness": {"1": {"libertarian": 8.0, "learned": 8.4}, "anchored low": {"libertarian": 7.5, "learned": 7.4}},
    "all_conditions": [{"endowments": [10, 2], "log_nash_welfare": {"libertarian": 5.8, "learned": 6.0, "ceiling": 7}}],
    "config": "public_investment",
    "seed": 3,
    "commit": "0123456789abcdef",
}


def shown(summary: dict, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "100")
    show_summary(summary, trainer)
    return capsys.readouterr().out


def test_a_training_ends_with_two_tables_that_say_what_they_are(capsys, monkeypatch):
    text = shown(CANONICAL, capsys, monkeypatch)
    assert text.startswith("learned rule: p = 2.87, q = 0.57 (w_i = ...)\n")
    assert text.count("───\n") == 2
    assert (
        "Mechanisms, a round: participants of inverse temperature 1, anchor uniform, in their exact equilibrium" in text
    )
    assert "log Nash welfare: sum of log(payoff + 0.001)" in text and "gini: inequality of payoffs" in text
    assert re.search(r"^best found +8\.467 +0\.1 *$", text, re.M)
    assert re.search(r"^ceiling, rational people +8\.688 +- *$", text, re.M)
    assert re.search(r"^learned, by those who trained +8\.4 ±0\.02 +0\.12 *$", text, re.M)
    assert "This run: config public_investment, seed 3, commit 012345678" in text
    assert re.search(r"gap_closed +0\.62 +share of the way from the best canonical rule to the ceiling", text)
    assert re.search(
        r"reachable_gap_closed +0\.95 +share of the way from the best canonical rule to the best\s+found", text
    )
    assert re.search(r"online_minus_exact +-0\.02 +the difference", text)
    assert re.search(r"updates of mechanisms +250", text)
    assert "other people: ahead of every canonical rule in 1 of 2 populations, not: anchored low" in text
    assert "other endowments: ahead of every canonical rule under 1 of 1 sets" in text


def test_counts_have_no_error_and_errors_are_named(capsys, monkeypatch):
    seeds = [
        {"iterations": 200, "evaluations": 10, "score": 1.0, "exact": 0.5},
        {"iterations": 200, "evaluations": 12, "score": 2.0, "exact": 0.5},
    ]
    text = shown({"runs": ["s0", "s1"], "aggregate": aggregate(seeds)}, capsys, monkeypatch)
    assert re.search(r"^iterations +200 ", text, re.M) and re.search(r"^evaluations +10 to 12 ", text, re.M)
    assert re.search(r"^score +1\.5 ±0\.5 ", text, re.M) and re.search(r"^exact +0\.5 ", text, re.M)
    assert "means over 2 seeds" in text and "after ±: standard errors" in text
    alone = shown({"score": 1.0}, capsys, monkeypatch)
    assert "±" not in alone and "standard error" not in alone


def test_one_seed_has_no_error():
    assert cell(Estimate.of_seeds([0.25])) == "0.25" and Estimate.of_seeds([0.25]).standard_error is None


def test_tables_of_several_conditions_are_one(capsys, monkeypatch):
    conditions = [{**CANONICAL["all_conditions"][0], "endowments": [10, tail], "gap_closed": 0.5} for tail in (2, 4)]
    text = shown({"by_condition": conditions}, capsys, monkeypatch)
    assert re.search(r"^10, 2 +5\.8 +6 +7 +0\.5 *$", text, re.M) and re.search(r"^10, 4 ", text, re.M)


@pytest.mark.parametrize(
    ("participants", "level", "told"),
    [
        ({"inverse_temperature": 2.0}, None, "participants of inverse temperature 2, anchor uniform, in their exact"),
        ({"inverse_temperature": float("inf")}, None, "rational participants, anchor uniform"),
        ({"inverse_temperature": "inf"}, None, "rational participants"),
        ({"kl_budget": 0.5, "inverse_temperature": None}, 3.25, "inverse temperature 3.25"),
        ({"inverse_temperature": 1.0, "anchor": {"mechanism": "libertarian"}}, None, "(mechanism libertarian)"),
        ("simulated_people", None, None),
    ],
)
def test_the_people_of_exact_scores_are_described(participants, level, told):
    found = equilibrium_people({"agents": {"participants": participants}}, level)
    assert found is None if told is None else told in found


def run_of(tmp_path: Path, name: str, **game: object) -> Run:
    from lawgiver.agents.network_policies import LearnedMechanism
    from lawgiver.trainers.runs.config import load_config

    overrides = [f"game={{name: {name}, {', '.join(f'{k}: {v}' for k, v in game.items())}}}"]
    source = "public_investment" if name == "public_investment" else "lanes"
    run = TrainingRun.create(source, load_config(source, [*overrides, f"run_dir={tmp_path / 'a run'}"]))
    made = run.game()
    run.save_policy("mechanism", LearnedMechanism(made, start=next(iter(made.members.values())), hidden=None))
    run.finish({})
    return run


def test_a_run_ends_with_its_figures_and_commands_that_can_be_pasted(tmp_path):
    run = run_of(tmp_path, "public_investment", endowments="[10, 4, 4, 4]", mechanism_mode="announce")
    (run.figures_folder / "curves.png").write_bytes(b"")
    lines = list(ending(run))
    assert lines[0] == f"figures: curves.png in {run.figures_folder}"
    told = [shlex.split(line) for line in lines[2:]]
    assert told[0][-2:] == ["evaluate", str(run.path)] and told[1][-2:] == ["--logdir", str(run.path)]
    assert told[2][1:] == ["tournament", str(run.path), "libertarian", "liberal_egalitarian"], "the game is the run's"
    from typer.testing import CliRunner

    from lawgiver.trainers.cli.commands import app

    done = CliRunner().invoke(app, [*told[2][1:], "games=4"])
    assert done.exit_code == 0, done.output


def test_what_cannot_be_elected_is_not_sent_into_a_tournament(tmp_path):
    run = run_of(tmp_path, "lanes", n_moves=5)
    assert not any("tournament" in command for command in commands(run, run))


def test_missing_torch_is_said_in_the_last_line(monkeypatch, capsys):
    import lawgiver.testing
    from lawgiver.envs.sequential_sales import SequentialSales
    from lawgiver.trainers.audit.core import audit_game
    from lawgiver.trainers.cli import printed_tables

    game = SequentialSales(n=2, m=1)
    types = game.initial_state(3, np.random.default_rng(0)).types
    found = audit_game(game, make_policy(game, "mechanism", "vcg"), types, effort=1, gradient=False).data()
    printed_tables.show_audit(found)
    assert "torch" not in capsys.readouterr().out
    monkeypatch.setattr(printed_tables, "find_spec", lambda name: None)
    printed_tables.show_audit(found)
    assert "torch is not installed" in capsys.readouterr().out.splitlines()[-1]
    monkeypatch.setattr(lawgiver.testing, "find_spec", lambda name: None)
    monkeypatch.setattr(lawgiver.testing, "RULE_CHECKS", ())
    monkeypatch.setattr(lawgiver.testing, "VIEW_CHECKS", ())
    with pytest.warns(UserWarning, match="torch is not installed"):
        lawgiver.testing.check_game("taxed_dilemma")


def test_a_column_without_errors_is_not_headed_by_them():
    from lawgiver.trainers.reproduce.table import Reproduction, over_seeds

    text = Reproduction(
        "A paper", {"One": [over_seeds("a", [1.0])], "Two": [over_seeds("a", [1.0, 2.0])]}, ()
    ).markdown()
    one, two = text.split("## Two")
    assert "| ours | known limit" in one and "±" not in one
    assert "| ours ± standard error |" in two


def test_what_is_not_known_is_a_line_and_no_table_of_dashes(capsys, monkeypatch):
    nothing = {"learned": None, "reachable": None, "ceiling": None}
    summary = {
        "mean_log_utility": nothing,
        "gap_closed": None,
        "reachable_gap_closed": None,
        "exact_score": None,
        "online_score": -0.9,
        "reasons": {"learned": "no exact solver", "ceiling": "no ceiling is known"},
        "trained_participants": {"played": {"mean_log_utility": -1.0}, "equilibrium": {"mean_log_utility": None}},
    }
    text = shown(summary, capsys, monkeypatch)
    assert "not known: learned: no exact solver" in text and "not known: ceiling: no ceiling is known" in text
    assert text.count("───\n") == 1 and not re.search(r" - *$", text, re.M)


def test_a_narrow_terminal_cuts_no_number_off(capsys, monkeypatch):
    def printed(columns: int) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        show_summary(CANONICAL)
        return capsys.readouterr().out

    wide, narrow = printed(200), printed(30)
    numbers = sorted(re.findall(r"[0-9]+\.[0-9]+", wide))
    assert len(numbers) > 10 and sorted(re.findall(r"[0-9]+\.[0-9]+", narrow)) == numbers
    assert "…" not in narrow


@pytest.mark.parametrize("number", ["-", "0.0731", "0.0731 ±0.0002"])
@pytest.mark.parametrize("width", [40, 60, 72, 80, 100])
def test_no_word_of_a_heading_is_cut(width: int, number: str, capsys, monkeypatch):
    mechanisms = ("no mechanism", "start", "learned", "best in the box", "trained participants")
    measures = (
        "welfare",
        "ir violation",
        "expected budget",
        "regret",
        "misreport regret",
        "what misrepresenting gains",
    )
    monkeypatch.setenv("COLUMNS", str(width))
    for n_mechanisms in range(1, 6):
        for n_measures in range(1, 7):
            cells = {m: dict.fromkeys(mechanisms[:n_mechanisms], number) for m in measures[:n_measures]}
            show_cells(cells, "title")
            printed = capsys.readouterr().out
            assert "…" not in printed
            words = {word for name in (*mechanisms[:n_mechanisms], *measures[:n_measures]) for word in name.split()}
            assert words <= set(printed.split())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("combinatorial_auction pricing=first", "equilibrium under no_reserve: the equilibrium of first-price package"),
        ("sealed_bid n_bids=11", "no_reserve; equilibrium under myerson_reserve: bids in this sealed_bid-v0 are 11"),
        ("sealed_bid preset=asymmetric values=[[0,1],[0,2]] masses=[1,2]", "its bids are in no closed form"),
        ("double_auction n=4", "equilibrium under buyers_bid: the gains of 4 traders are not known in closed form"),
        ("multi_item_auction n=3", "truthful auction: of 3 bidders it is known for one item, not for 2"),
        ("multi_item_auction n=1 m=3", "of one bidder it is known for up to two items, not for 3"),
        ("multi_item_auction n=1 distribution=exponential", "for some distributions, not for this one"),
        ("sequential_sales low=0.5", "Myerson's revenue: it is in closed form with objective='revenue', types='unif"),
        ("tabular_mdp", "greatest revenue of a truthful mechanism: no theory has it for tables of any kind"),
    ],
)
def test_solve_tells_why_a_solution_is_not_known(arguments, says, tmp_path):
    name, *parameters = arguments.split()
    printed = CliRunner().invoke(app, ["solve", name, *parameters, "--out", str(tmp_path)])
    assert printed.exit_code == 0 and "not known: " in printed.stdout and says in printed.stdout
    written = json.loads((tmp_path / "solutions.json").read_text())["solutions"]
    found = lawgiver.solve({"name": name, **keyed(parameters)})
    assert written == [asdict(each) for each in found]
    assert all((each["value"] is None) == (each["reason"] is not None) for each in written)


@pytest.mark.parametrize("name", ["sealed_bid", "double_auction", "combinatorial_auction", "sequential_sales"])
def test_what_is_known_has_no_reason(name):
    assert {each.reason for each in lawgiver.solve(name)} == {None}


def test_a_solution_that_is_not_found_stands_beside_the_others(monkeypatch):
    """An iteration that does not converge costs its own solution, whether the residual or the value needs it."""

    def nowhere() -> float:
        raise ConvergenceError("ends nowhere")

    game = make_game("double_auction")
    others = game.known_solutions()
    known = (
        KnownSolution("a", "s", lambda: 1.0, nowhere),
        KnownSolution("b", "s", nowhere, lambda: 1e-9),
        KnownSolution("c", "s", lambda: 1.0, lambda: 0.5, tolerance=0.25),
        KnownSolution("d", "s", lambda: 1.0, lambda: 1e-3, tolerance=0.25, exact=1e-9),
        KnownSolution("e", "s", lambda: 1.0, lambda: 1e-3, tolerance=0.25),
    )
    monkeypatch.setattr(type(game), "known_solutions", lambda self: (*known, *others))
    a, b, c, d, e, *rest = lawgiver.solve(game)
    assert (a.value, a.residual, a.reason) == (None, None, "ends nowhere")
    assert (b.value, b.residual, b.reason) == (None, 1e-9, "ends nowhere")
    assert (c.value, c.residual) == (None, 0.5) and c.reason.startswith("'c' is not known here: its residual is 0.5")
    assert (d.quantity, d.value) == ("approximate d", 1.0) and (e.quantity, e.value) == ("e", 1.0)
    assert [each.quantity for each in rest] == [each.name for each in others]
    printed = CliRunner().invoke(app, ["solve", "double_auction"])
    assert printed.exit_code == 0 and "not known: a; b: ends nowhere" in printed.stdout
    assert "gains from all efficient" in printed.stdout


def test_rounding_errors_are_written_as_zero():
    """Below 1e-12 of what was computed with; an error that is no rounding error stays."""
    assert cell(2.5e-17, 0.8) == cell(Estimate.normal(2.5e-17, 4e-18, 500), 0.8) == "0"
    assert cell(Estimate.normal(2.5e-11, 4e-12, 500), 8e5) == "0"
    assert cell(Estimate.normal(2.5e-11, 4e-12, 500)) == "2.5e-11 ±4e-12" and cell(2.5e-17) == "2.5e-17"
    assert cell(Estimate.normal(1e-14, 0.2, 500), 1.0) == "0 ±0.2"
    assert cell(Estimate.normal(1e-11, 1e-14, 500), 1.0) == "1e-11"


@pytest.mark.parametrize("high", ["1.0", "1e6"])
def test_gains_in_a_truthful_auction_are_printed_as_zero(high):
    arguments = ["vcg", "--game", "multi_item_auction", "profiles=20", "effort=1", f"game.high={high}"]
    printed = CliRunner().invoke(app, ["audit", *arguments]).stdout
    assert re.search(r"^value +0 ±0 +0 +0 ±0 +0 +\S+ *$", printed, re.MULTILINE), printed
    assert "profiles of 2 participants" in printed
