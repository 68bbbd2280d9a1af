"""A paper made again: noise is computed exactly, what is there is not trained again, figures tell the truth."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from lawgiver.agents.tables import tabulate
from lawgiver.envs.core.errors import ParameterError, UnknownNameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.lanes import Lanes
from lawgiver.envs.lanes.solutions import meeting_welfare_sd
from lawgiver.envs.solvers.equilibrium.subgame_equilibrium import prior_table, solve
from lawgiver.trainers import reproduce
from lawgiver.trainers.affine_maximiser import settings
from lawgiver.trainers.affine_maximiser.objective import Problem
from lawgiver.trainers.cli import app, main
from lawgiver.trainers.cli.printed_tables import show_summary
from lawgiver.trainers.evaluation import evaluate as evaluation
from lawgiver.trainers.mechanism_design import figures as design
from lawgiver.trainers.mechanism_design.optimisers import Schedule, make_optimiser
from lawgiver.trainers.mechanism_design.two_timescale.measurement import played
from lawgiver.trainers.plots import drawing, style
from lawgiver.trainers.reproduce import affine_maximisers, affine_tables, payment_free, payment_free_judged, rmd
from lawgiver.trainers.reproduce.noise import band, pooled, welfare_sd
from lawgiver.trainers.reproduce.payment_free_points import Point, above, clear, dominated_by
from lawgiver.trainers.reproduce.payment_free_tables import Network, Size
from lawgiver.trainers.reproduce.runs import finished, missing
from lawgiver.trainers.reproduce.table import Reproduction, Row, over_seeds
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.atomic_files import RunError
from lawgiver.trainers.runs.config import load_config
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.settings.base import Resources
from lawgiver.trainers.statistics.estimate import Estimate

PAPERS = ", ".join(sorted(reproduce.PAPERS))


def meeting(game: Lanes, threshold: float) -> np.ndarray:
    """Return the table in which everybody who starts behind a threshold of the grid moves up to it."""
    at = game.subgame
    move = np.clip(np.round((threshold - at.starts) / at.moves[1]), 0, None).astype(int)
    policy = np.zeros(at.shape)
    policy[0, np.arange(at.starts.size), move] = 1
    return policy


# -- noise ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3, 5, 20])
@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.9])
def test_noise_of_meeting_is_the_closed_form(n: int, threshold: float):
    game = Lanes(n=n, movement_cost=0.5)
    exact = meeting_welfare_sd(game.setting, threshold)
    # Simpson's rule is not exact at the kink that the threshold is.
    assert welfare_sd(game, meeting(game, threshold)) == pytest.approx(exact, rel=0.02)
    if threshold == 0:
        assert welfare_sd(game, meeting(game, threshold)) == pytest.approx(exact, rel=1e-6)


def test_noise_is_that_of_games_played_by_the_rules():
    game, w = make_game("lanes", n=4, movement_cost=0.7), np.array([0.4, -1.5])
    found = solve(game.subgame, w, 8.0, prior_table(game, None, w))
    games = played(game, w, np.asarray(found.log_policy), 10_000, np.random.default_rng(3))
    spread = np.sqrt(np.var((games - games.mean()) ** 2) / games.size) / 2 / games.std()  # delta method
    assert abs(games.std() - welfare_sd(game, found.policy)) < 4 * spread + 1e-3 * games.std()


def test_pooled_batches_are_their_games():
    games = np.random.default_rng(0).normal(size=(7, 16)) + np.arange(7)[:, None]
    assert pooled(games.mean(axis=1), games.std(axis=1)) == pytest.approx((games.mean(), games.std()))


def test_a_band_is_the_mean_of_each_seeds_games():
    times = np.arange(1, 101) * 16
    rng = np.random.default_rng(1)
    games = rng.normal(size=(3, 100, 16)) - 5
    drawn = band([(times, each.mean(axis=1), each.std(axis=1)) for each in games], n_bins=5)
    assert drawn.time.size == 5
    assert (np.diff(drawn.time) > 0).all()
    last = games[:, times >= 1600 * (16 / 1600) ** (1 / 5)].reshape(3, -1)
    assert drawn.mean[-1] == pytest.approx(last.mean())
    assert drawn.sd[-1] == pytest.approx(np.sqrt(last.var(axis=1).mean()))
    np.testing.assert_allclose(band([(times, np.full(100, -2.0), np.full(100, 0.5))]).sd, 0.5)


# -- tables ---------------------------------------------------------------------------------------------------------


def test_rows_say_what_is_known_and_how_near_ours_comes():
    row = over_seeds("welfare", [-1.0, -3.0], -1.6)
    assert row.ours == Estimate.of_seeds([-1.0, -3.0]) and row.ratio == pytest.approx(1.25)
    assert over_seeds("welfare", [-1.0]).ours.standard_error is None
    assert Row("nothing known", 1.0).ratio is None
    made = Reproduction("A paper", {"Table 1": (row, Row("exact", 0.5, paper="0.5"))}, ("A note.",), (Path("a/b.png"),))
    assert "| welfare | not given | -2 ± 1 | -1.6 | 1.25 |\n| exact | 0.5 | 0.5 | - | - |" in made.markdown()
    assert made.markdown().endswith("- A note.")
    data = json.loads(json.dumps(made.data()))
    assert data["rows"]["Table 1"][0] == {
        "quantity": "welfare",
        "ours": Estimate.of_seeds([-1.0, -3.0]).to_data(),
        "limit": -1.6,
        "paper": "not given",
        "baseline": None,
        "ratio": pytest.approx(1.25),
    }
    assert data["figures"] == ["b.png"]


def test_a_baseline_has_a_column_where_there_is_one():
    rows = (
        Row("a", Estimate.normal(0.5, 0.01, 3), 1.0, "0.4", baseline=Estimate.normal(0.25, 0.002, 3)),
        Row("b", 2.0),
    )
    text = Reproduction("A paper", {"Both": rows, "None": rows[1:]}, (), baseline="VCG").markdown()
    assert "| quantity | paper | VCG | ours ± standard error | known limit | ours / limit |\n|---|---|---:|---:" in text
    assert "| a | 0.4 | 0.25 ± 0.002 | 0.5 ± 0.01 | 1 | 0.5 |\n| b | not given | - | 2 | - | - |" in text
    assert text.count("VCG") == 1


def test_what_is_compared_in_many_ways_has_a_row_each():
    gain = Estimate(0.25, 0.005, 0.24, 0.26, 9, "normal")
    compared = {"Rules": ({"rule": "a", "gain": gain, "of": None}, {"rule": "b", "gain": 3.0, "of": "a"})}
    alone = {"rule": "c", "gain": Estimate.of_seeds([2.0]), "of": None}
    compared["Rules"] += (alone,)
    made = Reproduction("A paper", {"Table 1": (Row("a", 0.5),)}, (), comparisons=compared)
    text = made.markdown()
    assert "## Rules\n\n| rule | gain | of |\n|---|---:|---:|\n| a | 0.25 [0.24, 0.26] | - |\n| b | 3 | a |\n" in text
    assert "| c | 2 | - |" in text, "a single seed has no interval"
    assert text.index("## Rules") < text.index("## Table 1")
    assert json.loads(json.dumps(made.data()))["comparisons"]["Rules"][0]["gain"] == gain.to_data()


def test_tables_too_wide_for_the_screen_are_turned(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"a_long_parameter_{i}" for i in range(6)]
    summary = {
        "welfare": {"start": 0.75, "learned": 1.5},
        "incentives": {"regret": {"start": 0.125, "learned": 0.0625}},
        "parameters": {name: {"start": 0.25, "learned": 0.5} for name in names},
    }
    show_summary(summary)
    said = capsys.readouterr().out
    assert all(re.search(rf"{name} +0.25 +0.5\n", said) for name in names)
    assert re.search(r"welfare +0.75 +1.5\n", said)
    assert "…" not in said
    show_summary(summary | {"parameters": {"w_1": summary["parameters"][names[0]]}})
    assert re.search(r"start +0.75 +0.25\n", capsys.readouterr().out)  # as it was: it fits


# -- figures --------------------------------------------------------------------------------------------------------


def test_losses_are_drawn_down_to_the_worst_and_cut_off_above_the_least(tmp_path: Path):
    noisy = design.Band(np.array([1.0, 10.0, 100.0]), np.array([-30.0, -3.0, -0.3]), np.array([5.0, 4.0, 0.1]))
    panel = design.Panel("many", {"learned": noisy, "given": design.Band(noisy.time, noisy.mean)}, {"optimum": -0.2})
    figure = design.losses([panel, panel], "games", "welfare")
    style.save(figure, tmp_path / "a.png")
    for axis in figure.axes:
        assert axis.get_ylim() == pytest.approx((-38.5, -0.1))
        assert len(axis.lines) == 2 + 2 + 1 + 1  # means, edges of one, their name, one reference
        assert axis.get_legend_handles_labels()[1] == ["learned", "given", design.EDGE, "optimum: -0.2"]
    assert [axis.get_xlabel() for axis in figure.axes] == ["", "games"]


def test_every_seed_is_a_dot(tmp_path: Path):
    figure = design.dots({"fast": [-1.0, -2.0, -4.0], "slow": [-8.0]}, {"slow": -1.0}, {"optimum": -0.5}, "welfare")
    style.save(figure, tmp_path / "a.png")
    axis = figure.axes[0]
    drawn = {tuple(line.get_xdata()) for line in axis.lines if line.get_marker() == "o"}
    assert drawn == {(-1.0, -2.0, -4.0), (-8.0,)}
    assert [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "|"] == [-2.0, -8.0]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["fast", "slow"]


# -- the whole ------------------------------------------------------------------------------------------------------

SMALL = ("game.n_moves=5", "game.degree=1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rmd")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the trainings short, and few."""
    staying, learning = (*rmd.STAYING, *SMALL), (*rmd.TWO_POINT, *SMALL)
    monkeypatch.setattr(rmd, "EVALUATIONS", 20)
    monkeypatch.setattr(rmd, "CROWDS", (3,))
    monkeypatch.setattr(rmd, "ARMS", {"without mechanism": staying, "with": learning})
    monkeypatch.setattr(rmd, "DEGREES", {"none": staying, "degree 1": learning})
    monkeypatch.setattr(rmd, "BASES", {"degree 1": learning})


def test_reproduce_prints_a_table_and_leaves_figures(folder: Path, small: None):
    done = CliRunner().invoke(app, ["reproduce", "rmd", "--out", str(folder), "--seeds", "2"])
    assert done.exit_code == 0, done.output
    assert "| quantity | paper | ours ± standard error | known limit | ours / limit |" in done.stdout
    table = json.loads((folder / "table.json").read_text())
    assert [figure for figure in table["figures"] if not (folder / figure).read_bytes().startswith(b"\x89PNG")] == []
    rows = {row["quantity"]: row for section in table["rows"].values() for row in section}
    assert rows["none"]["limit"] == pytest.approx(rows["welfare, played, without mechanism"]["limit"])
    assert rows["loss without / with; closed form"]["limit"] == pytest.approx(1 / 0.1203, rel=1e-3)
    assert rows["degree 1"]["ratio"] > 1 - 1e-9  # nobody is better than the best in the box
    room = {name: row["ratio"] for name, row in rows.items() if name.startswith("welfare without mechanism, ")}
    assert 1.01 < min(room.values()) < max(room.values()) < 1.14
    assert sorted(path.name for path in folder.glob("*/s*")) == ["s0", "s0", "s1", "s1"]


def test_what_is_there_is_not_trained_again(folder: Path, small: None, monkeypatch: pytest.MonkeyPatch):
    assert any(folder.glob("*/s1/summary.json"))
    before = (folder / "table.json").read_bytes()
    monkeypatch.setattr(launch, "train", None)
    monkeypatch.setattr(launch, "resume", None)
    reproduce.reproduce("rmd", folder, 2)
    assert (folder / "table.json").read_bytes() == before


def test_without_matplotlib_there_are_tables_and_a_line_on_figures(
    folder: Path, small: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    for module in [name for name in sys.modules if name.startswith("lawgiver.trainers.plots.style")]:
        monkeypatch.delitem(sys.modules, module)
    made = reproduce.reproduce("rmd", folder, 2)
    assert made.figures == () and made.sections
    assert [record.getMessage()[:30] for record in caplog.records] == ["no figures were drawn: drawing"]


def test_a_run_with_other_settings_is_not_taken_for_what_is_asked(
    folder: Path, small: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(rmd, "EVALUATIONS", 30)
    with pytest.raises(RunError, match="holds a run with other settings: remove it, or choose another --out"):
        reproduce.reproduce("rmd", folder, 1)


def test_a_run_on_lanes_draws_its_payment_and_its_path(folder: Path):
    run = Run.open(next(folder.glob("*two_point*/s0")))
    assert {file.name for file in run.figures_folder.iterdir()} == {"curves.png", "payments.png"}
    summary = run.summary
    for file in run.figures_folder.iterdir():
        file.unlink()
    for odd in ({"welfare": -1.0, "parameters": {"w_1": 2.0}, "threshold": None}, {"parameters": [1.0]}):
        drawing.draw(run, odd)
        assert {file.name for file in run.figures_folder.iterdir()} == {"curves.png"}
    partly = {"parameters": {"w_1": {"learned": 1.0}}, "threshold": {"learned": 0.5, "closed_form": None}}
    drawing.draw(run, partly)
    assert (run.figures_folder / "payments.png").exists()
    assert summary is not None


def test_a_mechanism_that_is_fixed_stays_and_participants_settle(folder: Path):
    run = Run.open(next(folder.glob("*fixed*/s0")))
    summary = run.summary
    assert summary is not None
    assert {line["coefficients"]["w_1"] for line in run.lines()} == {0.0}
    assert summary["gap_closed"] == 0
    trained = np.exp(tabulate(run.game(), load(run.path, role="participant"), np.zeros(1)))
    exact = solve(run.game().subgame, np.zeros(1), 100.0, prior_table(run.game(), None, np.zeros(1)))
    np.testing.assert_allclose(trained, exact.policy, atol=1e-3)
    still = Schedule(initial=1.0, exponent=0.6)
    fixed = make_optimiser("fixed", low=[-1, -1], high=[1, 1], start=[0.5, -1], step=still, radius=still)
    for _ in range(3):
        np.testing.assert_array_equal(fixed.ask(np.random.default_rng(0)), [[0.5, -1]])
        fixed.tell([3.0])


@pytest.mark.parametrize("kinds", ["ARMS", "DEGREES", "BASES"])
def test_what_is_compared_is_a_valid_config(kinds: str):
    for overrides in getattr(rmd, kinds).values():
        config = load_config("lanes", [*overrides, "game.n=3"])
        assert config.trainer.name == "two_timescale"
        assert config.agents.mechanism.start == ((0.0, -1.0) if overrides == rmd.ONE_POINT else "no_mechanism")


# -- mistakes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnd"], f"unknown paper 'rnd': did you mean 'rmd'? allowed: {PAPERS}"),
        (["rmd", "--seeds", "0"], "seeds is 0, allowed: an integer >= 1"),
        (["rmd", "--jobs", "0"], "jobs is 0, allowed: an integer >= 1"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    monkeypatch.setattr(sys, "argv", ["lawgiver", "reproduce", *arguments, "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"lawgiver: {said}\n"
    assert not (tmp_path / "out").exists()
    name, *rest = arguments
    options = zip(rest[::2], rest[1::2], strict=True)
    given = {key.removeprefix("--"): int(value) for key, value in options}
    with pytest.raises((UnknownNameError, ParameterError), match=re.escape(said)):
        reproduce.reproduce(name, tmp_path / "out", **given)


def test_an_interruption_says_how_to_continue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def stop(*_: object) -> None:
        raise launch.Interrupted(tmp_path / "run")

    monkeypatch.setattr(launch, "ensure", stop)
    done = CliRunner().invoke(app, ["reproduce", "rmd", "--out", str(tmp_path / "out"), "--seeds", "3"])
    assert done.exit_code == 130
    assert (
        done.stderr
        == f"interrupted; continue with: lawgiver reproduce rmd --out {tmp_path / 'out'} --seeds 3 --jobs 1\n"
    )


def test_help_is_quick_and_complete():
    code = (
        "import sys; from lawgiver.trainers.cli import app; from typer.testing import CliRunner;"
        "print(CliRunner().invoke(app, ['reproduce', '--help']).output);"
        "assert not {'torch', 'ray', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "200"}
    ).stdout
    shown = " ".join(shown.split())  # however it is broken into lines
    assert all(
        word in shown
        for word in (
            "NAME",
            "--out DIR",
            "--seeds K",
            "--jobs J",
            f"Papers: {PAPERS}",
            "130 interrupted",
        )
    )


TWO = "endowments=[[10,2,2,2],[10,8,8,8]]"
SMALL_ELECTIONS = {
    "hcmd_zero": (
        f"game.{TWO}",
        "game.n_rounds=2",
        "trainer.acquire.groups=[10,10]",
        "trainer.model={sizes: [[4, 2]], contribution_l2: [0.01], vote_l2: [0.3], epochs: 2}",
        "trainer.optimise={updates: 2, last_updates: 2, batch: 20}",
        "trainer.meta_game.games=10",
        "trainer.evaluation={games: 4, rivals: [liberal_egalitarian], populations: {coin: {voters: random}}}",
    ),
    "election_designer": (
        f"game.base.{TWO}",
        "game.base.n_rounds=2",
        "trainer={name: election_designer, updates: 2, batch: 8, games: 4}",
    ),
}


def test_hcmd_zero_beside_what_can_be_attained(tmp_path, monkeypatch):
    from lawgiver.trainers.reproduce import hcmd_zero

    ensure = launch.ensure
    monkeypatch.setattr(hcmd_zero.launch, "ensure", lambda to, name, *o: ensure(to, name, *o, *SMALL_ELECTIONS[name]))
    made = reproduce.reproduce("hcmd_zero", tmp_path, 2)
    text = made.markdown()
    first, *others = made.sections.values()
    assert [row.quantity for row in first] == [
        "all conditions",
        "endowments 10-2-2-2",
        "endowments 10-8-8-8",
        "the same method before the very people, all conditions",
    ]
    summaries = [json.loads((tmp_path / f"seed-{seed}" / "summary.json").read_text()) for seed in (0, 1)]
    best = json.loads((tmp_path / "attainable" / "summary.json").read_text())["vote_share"]["liberal_egalitarian"]
    for row, condition in zip(first[:3], ("pooled", "10-2-2-2", "10-8-8-8"), strict=True):
        shares = [
            each["vote_share"]["liberal_egalitarian"]["simulated_people"][condition]["mean"] for each in summaries
        ]
        points = 100 * (np.array(shares) - 0.5)
        assert row.ours.mean == pytest.approx(points.mean())
        assert row.limit == pytest.approx(100 * (best[condition]["mean"] - 0.5))
        assert row.ours.standard_error == pytest.approx(points.std(ddof=1) / np.sqrt(2))
    assert all(len(section) for section in others) and "54.3 %" in text
    pooled = summaries[1]["vote_share"]["liberal_egalitarian"]["simulated_people"]["pooled"]
    low, high = pooled["low"], pooled["high"]
    assert f"seed 1, all conditions [{100 * (low - 0.5):.1f}, {100 * (high - 0.5):.1f}]" in text
    assert {"beach.png", "contributions.png", "cross_entropy.png", "meta_game.png"} <= {f.name for f in made.figures}
    stamps = [(tmp_path / f"seed-{seed}" / "summary.json").stat().st_mtime_ns for seed in (0, 1)]
    reproduce.reproduce("hcmd_zero", tmp_path, 2)
    assert stamps == [(tmp_path / f"seed-{s}" / "summary.json").stat().st_mtime_ns for s in (0, 1)], "nothing is redone"


# -- several at once ------------------------------------------------------------------------------------------------

QUICK = (*rmd.TWO_POINT, "trainer.iterations=3", "trainer.log_every=1", *SMALL)


def test_trainings_at_once_are_the_same_trainings(ray_cluster: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    wanted = [(tmp_path / f"s{seed}", "lanes", (*QUICK, f"seed={seed}")) for seed in range(3)]
    alone = launch.ensure(tmp_path / "alone", *wanted[1][1:2], *wanted[1][2])
    launch.ensure(*wanted[0][:2], *wanted[0][2])
    written = (tmp_path / "s0" / "summary.json").stat().st_mtime_ns
    started: list[Resources] = []
    monkeypatch.setattr(launch, "start_ray", started.append)  # it runs already
    found = launch.ensure_all(wanted, jobs=2)
    assert [use.concurrent_seeds for use in started] == [2]
    assert [summary["seed"] for summary in found] == [0, 1, 2]
    differing = {"timing": None, "commit": None}  # somebody may commit meanwhile
    assert {**found[1], **differing} == {**alone, **differing}
    assert (tmp_path / "s0" / "summary.json").stat().st_mtime_ns == written
    monkeypatch.setattr(launch, "start_ray", None)  # nothing is left to be done
    assert launch.ensure_all(wanted, jobs=2) == found


def test_an_interruption_of_several_names_the_first_that_is_not_finished(tmp_path, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "in_ray", stop)
    launch.ensure(tmp_path / "a", "lanes", *QUICK)
    with pytest.raises(launch.Interrupted) as stopped:
        launch.ensure_all([(tmp_path / name, "lanes", QUICK) for name in "abc"], jobs=2)
    assert stopped.value.path == tmp_path / "b"


# -- affine maximisers ----------------------------------------------------------------------------------------------


class Finished:
    """Stands for a run that is finished."""

    def __init__(self, **told: Estimate):
        self.told = told

    @property
    def summary(self) -> dict[str, object]:
        return {"limit": 0.5, "timing": {"wall_s": 2.0}, **self.told}


def test_errors_are_of_seeds_but_never_below_those_of_profiles():
    def told(*values: float, error: float) -> Estimate:
        summaries = [{"objective": Estimate.normal(value, error, 50)} for value in values]
        return affine_maximisers.estimate(summaries, "objective")

    several = told(1.0, 2.0, 3.0, error=0.1)
    assert (several.mean, several.standard_error, several.n) == (2.0, pytest.approx(1 / np.sqrt(3)), 3)
    assert told(2.0, 2.0, error=0.1).standard_error == pytest.approx(0.1 / np.sqrt(2))
    assert told(2.0, error=0.1) == Estimate.normal(2.0, 0.1, 1)


def result(number: int, objective: float, vcg: float) -> affine_maximisers.Result:
    table = affine_maximisers.TABLES[number - 1]
    run = Finished(objective=Estimate.normal(objective, 0.003, 50), vcg=Estimate.normal(vcg, 0.004, 50))
    return affine_maximisers.Result(table, table.cells[0], (run,))  # the paper: 0.4939 (VCG 0), 0.9132 (VCG 1.0336)


@pytest.mark.parametrize(
    ("number", "objective", "vcg", "holds"),
    [
        (1, 0.4949, 0.0, (1, 1, 0, 0)),
        (1, 0.4951, 0.025, (0, 1, 0, 1)),  # 3 combined standard errors of VCG are 0.0242
        (1, 0.52, 0.024, (1, 1, 1, 1)),
        (1, 0.47, 0.0, (1, 0, 0, 0)),
        (3, 0.87, 1.0336, (1, 1, 1, None)),  # less is better, and the limit is no more than a bound
        (3, 0.96, 1.0336, (1, 0, 0, None)),
    ],
)
def test_verdicts(number: int, objective: float, vcg: float, holds: tuple[int | None, ...]):
    rows = list(affine_maximisers.verdicts([result(number, objective, vcg)]))
    assert [row.ours if row.limit else None for row in rows] == list(holds)
    assert all(row.limit in (1, 0) for row in rows)


def test_a_cell_stands_beside_the_papers():
    row = result(3, 0.87, 1.03).row
    assert (row.quantity, row.paper) == ("n=2, m=4", "0.9132 (1.0336)")
    assert (row.ours, row.baseline) == (Estimate.normal(0.87, 0.003, 1), Estimate.normal(1.03, 0.004, 1))
    assert row.ratio == pytest.approx(0.87 / 0.5)


VCG = {
    1: (0.0, 0.4997, 0.8000, 1.0002, 0.0, 0.0, 0.6004, 0.9992),
    2: (0.0, 0.2344, 0.3092, 0.3351, 0.0, 0.0, 0.2271, 0.3202),
    3: (1.0322, 1.0126, 0.6096, 0.5637),
    4: (1.8349, 1.9613, 1.4213, 1.4672),
}
"""The revenue or makespan of VCG in tables 1 to 4, by a program of its own, on 200,000 to 2,000,000 profiles."""
GRIDWORLD = ((0, 0.7504, 0.0045), (4, 1.0352, 0.0047))
"""Cells of table 5, with the standard errors that 60,000 profiles leave."""


def vcg_of(table: affine_tables.Table, cell: affine_tables.Cell, profiles: int) -> tuple[float, float]:
    """Return the objective of VCG, and its standard error."""
    problem = Problem(load_config(affine_maximisers.CONFIG, table.of_cell(cell)).game.make())
    found = problem.evaluate(problem.vcg, problem.sample(profiles, torch.Generator().manual_seed(1)))
    return float(found.mean()), float(found.std()) / profiles**0.5


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_vcg_is_that_of_an_independent_program(number: int):
    table = affine_maximisers.TABLES[number - 1]
    for cell, expected in zip(table.cells, VCG[number], strict=True):
        assert vcg_of(table, cell, 60_000)[0] == pytest.approx(expected, rel=0.01, abs=1e-9), cell


@pytest.mark.parametrize(("index", "expected", "error"), GRIDWORLD)
def test_vcg_on_the_torus_is_that_of_an_independent_program(index: int, expected: float, error: float):
    table = affine_maximisers.TABLES[4]
    mean, own = vcg_of(table, table.cells[index], 20_000)
    assert abs(mean - expected) < 3 * np.hypot(own, error)


TINY = """
game: {name: sequential_sales, n: 5, m: 3}
agents: {mechanism: {weights: learned}}
trainer: {name: affine_maximiser, updates: 10, batch: 16, log_every: 5, evaluation: {profiles: 400, probe: 50}}
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave one cell of each table, and hardly any training."""
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY)
    short = ("trainer.updates=10", "trainer.batch=10", "trainer.log_every=5")
    searches = {name: (config, (*short, f"trainer.method={name}")) for name in ("annealed", "grid_search")}
    monkeypatch.setattr(affine_maximisers, "CONFIG", config)
    monkeypatch.setattr(affine_maximisers, "SEARCHES", searches)
    monkeypatch.setattr(affine_maximisers, "TABLES", tuple(replace(t, cells=t.cells[:1]) for t in affine_tables.TABLES))
    monkeypatch.setattr(affine_maximisers, "COMPARED", (1, 2, 2))
    monkeypatch.setattr(affine_maximisers, "READ", {"reserves": (2, 2, 2), "boosts": (5, 2, 3)})


def test_a_run_of_another_usual_budget_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = tmp_path / "usual.yaml"
    config.write_text(TINY.replace("n: 5, m: 3", "n: 2, m: 1").replace("batch: 16, ", ""))
    wanted: list[tuple[Path, Path, tuple[str, ...]]] = [(tmp_path / name, config, ()) for name in ("new", "old")]
    (run,) = finished(wanted[1:], 1)
    assert run.settings["trainer"]["batch"] == 256
    assert (missing([tmp_path / "new", tmp_path / "old"]), finished(wanted[1:], 1)[0].path) == (1, tmp_path / "old")
    monkeypatch.setattr(settings, "ON_TREE", replace(settings.ON_TREE, batch=11))
    with pytest.raises(RunError, match="old holds a run with other settings: remove it, or choose another --out"):
        finished(wanted, 1)
    assert not (tmp_path / "new").exists()


def test_affine_maximisers_beside_the_papers_tables(tmp_path: Path, tiny: None, monkeypatch: pytest.MonkeyPatch):
    made = reproduce.reproduce("affine_maximisers", tmp_path / "out", 1)
    text = made.markdown()
    assert "| quantity | paper | VCG | ours ± standard error | known limit | ours / limit |" in text
    tables = [rows for heading, rows in made.sections.items() if heading.startswith("Table ")]
    assert [len(rows) for rows in tables] == [1] * 5
    for number, (row,) in enumerate(tables, 1):
        (place,) = (tmp_path / "out" / f"table{number}").iterdir()
        told = json.loads((place / "s0" / "summary.json").read_text())
        found = told["objective"]
        assert (row.ours.mean, row.ours.standard_error) == pytest.approx((found["mean"], found["se"]))
        assert row.limit == told["limit"]
    assert tables[0][0].baseline.mean == 0  # as many items as bidders
    searched = made.sections["Searches, sequential sales, values in [0, 1], n=2, m=2, one seed"]
    names = [row.quantity.partition(",")[0] for row in searched]
    assert names == ["annealed", "grid search"]
    table = json.loads((tmp_path / "out" / "table.json").read_text())
    counts = {row["quantity"]: (row["ours"], row["limit"]) for row in table["rows"]["In how many cells"]}
    assert counts["VCG within 3 combined standard errors of the paper's"] == (5, 5)
    assert any(note.startswith("VCG within 3 combined") and note.endswith("5 of 5 cells.") for note in table["notes"])
    assert table["figures"] == ["limits.png", "searches.png", "reserves.png", "boosts.png"]
    assert all((tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG") for name in table["figures"])
    added, elapsed = made.sections["Time"]
    assert added.quantity.startswith("seconds that 7 trainings took, searches included")
    assert elapsed.quantity == "seconds from beginning to end, 7 trainings of 7"
    assert elapsed.ours > 0.8 * added.ours
    shown = [row.quantity.partition(", ")[2] for row in searched]
    runs = [Run.open(tmp_path / "out" / "searches" / name) for name in ("annealed", "grid_search")]
    assert shown == [f"{run.summary['timing']['search_s']:.1f} s" for run in runs]
    monkeypatch.setattr(launch, "train", None)
    again = reproduce.reproduce("affine_maximisers", tmp_path / "out", 1)
    assert again == replace(made, sections=made.sections | {"Time": (added,)}), "nothing is trained twice"
    told = evaluation.evaluate(tmp_path / "out" / "table5" / "n2-m3" / "s0")
    assert told.keys() == {"objective", "vcg", "limit", "ratio_to_limit"}
    figures_of = {file.name for file in (tmp_path / "out" / "table5" / "n2-m3" / "s0" / "figures").iterdir()}
    assert figures_of == {"curves.png", "boosts.png"}


# -- payment-free allocation ----------------------------------------------------------------------------------------


def at(name: str, x: float, y: float, seeds: int = 1, spread: float = 0.01, instances: int = 400) -> Point:
    """Return a point about (x, y), its instances the same noise in any point, with another offset for each seed."""
    noise = np.random.default_rng(0).normal(size=(2, instances))
    noise -= noise.mean(1, keepdims=True)
    offsets = 0.001 * (np.arange(seeds) - (seeds - 1) / 2)[:, None]
    gains = x + spread * noise[0, : instances // 2] - spread * noise[0, : instances // 2].mean() + offsets
    return Point(name, y + spread * noise[1] + offsets, gains)


def test_a_point_has_the_interval_of_its_instances_and_seeds():
    point = at("a", 0.05, 0.9)
    assert point.at == pytest.approx((0.05, 0.9))
    assert point.y.half == pytest.approx(1.959963984540054 * point.ratios.std() / 20)
    assert point.x.half == pytest.approx(1.959963984540054 * point.gains.std() / np.sqrt(200))
    several = at("b", 0.05, 0.9, seeds=3)
    of_seeds = 4.3027 * 0.001 / np.sqrt(3)
    assert several.y.half == pytest.approx(np.hypot(point.y.half, of_seeds), rel=1e-4)
    assert [seed.at[1] for seed in several.seeds] == pytest.approx([0.899, 0.9, 0.901])


def test_heights_are_taken_instance_by_instance():
    low, high = at("fill", 0.0, 0.9, spread=0.0), at("fair", 0.1, 1.0, spread=0.0)
    exact = above(at("a", 0.04, 0.96, spread=0.0), [low, high])
    assert exact is not None and (exact.mean, exact.half) == pytest.approx((0.02, 0.0), abs=1e-12)
    same = above(at("a", 0.04, 0.96), [at("fill", 0.0, 0.9), high])  # what all have in common cancels but for the end
    alone = above(at("a", 0.04, 0.96), [low, high])
    assert same is not None and alone is not None and same.half < alone.half and clear(same)
    beyond = above(at("a", 0.2, 0.96), [low, high])
    assert beyond is not None and beyond.mean == pytest.approx(-0.04)
    assert above(at("a", 0.04, 0.96), [high]) is None


def test_intervals_of_heights_cover():
    """A point on the segment between two others, all three measured on the same instances, is clear 2.5 % of times."""
    rng, above_it = np.random.default_rng(1), []
    for _ in range(2_000):
        common = rng.normal(size=(2, 300))
        points = []
        for x, y in ((0.0, 0.9), (0.1, 1.0), (0.03, 0.93)):
            ratios = y + 0.02 * (common[0] + rng.normal(size=300))
            gains = x + 0.2 * x * (common[1] + rng.normal(size=300))[:150]
            points.append(Point("", ratios[None], gains[None]))
        height = above(points[2], points[:2])
        assert height is not None
        above_it.append(clear(height))
    assert 0.025 - 4 * np.sqrt(0.025 / 2_000) < np.mean(above_it) < 0.025 + 4 * np.sqrt(0.025 / 2_000)


def test_who_may_dominate():
    point = at("a", 0.04, 0.96, seeds=3)
    others = {"worse": (0.05, 0.95), "fair": (0.1, 1.0), "better": (0.03, 0.97), "alike": (0.0401, 0.9599)}
    assert dominated_by(point, [at(name, *where) for name, where in others.items()]) == ["better", "alike"]


def test_a_judgement_is_kept_and_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "known" / "fill.json"
    task = payment_free_judged.Task(2, 2, "water_filling", audited=3, instances=20, effort=1, seed=5)
    (found,) = payment_free_judged.judged_all([(file, task)], 1)
    assert found.ratios.shape == (20,) and found.gains["joint"].shape == (3,)
    assert found.ratios.max() <= 1 + 1e-9 and max(found.greatest.values()) < 1e-9 and found.efficiency > 0.999
    monkeypatch.setattr(payment_free_judged, "judge", None)
    (again,) = payment_free_judged.judged_all([(file, task)], 1)
    np.testing.assert_array_equal(again.ratios, found.ratios)
    with pytest.raises(TypeError):  # another task is judged anew
        payment_free_judged.judged_all([(file, replace(task, seed=6))], 1)
    file.write_text("{")
    with pytest.raises(RunError, match=r"fill\.json is damaged, remove it to have it judged again"):
        payment_free_judged.judged_all([(file, task)], 1)


JUDGED = {
    "proportional_fairness": (0.06, 1.0),
    "partial_allocation": (0.1, 0.8),
    "equal_split": (0.0, 0.84),
    "water_filling": (0.0, 0.95),
    None: (0.02, 0.98),
}


def test_payment_free_allocation_among_the_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def judged(task: payment_free_judged.Task, folder: Path) -> payment_free_judged.Judgement:
        rule = task.rule if isinstance(task.rule, (str, type(None))) else task.rule["policy"]
        x, y = JUDGED[rule]
        drawn = at("", x, y, instances=task.instances)
        gains = dict.fromkeys(payment_free_judged.GROUPS, drawn.gains[0, : task.audited])
        greatest = dict.fromkeys(payment_free_judged.GROUPS, 0.3)
        added = dict.fromkeys(payment_free_judged.GROUPS, 0.002)
        return payment_free_judged.Judgement(drawn.ratios[0], drawn.ratios[0], 0.9, gains, greatest, added, 0.25)

    brief = ("trainer.updates=1", "trainer.batch=4", "trainer.samples=4", *payment_free.BRIEF)
    small = Size(2, 2, networks=100, fair=100, partial=50, training={"exs_net": brief})
    monkeypatch.setattr(payment_free_judged, "judge", judged)
    monkeypatch.setattr(payment_free, "SIZES", (small,))
    asked = {name: payment_free.NETWORKS[0].asked[name] for name in ("weight 1", "target 0.01")}
    monkeypatch.setattr(payment_free, "NETWORKS", (Network("ExS-Net", "exs_net", asked),))
    made = reproduce.reproduce("payment_free", tmp_path, 2)
    text = made.markdown()
    assert "| water filling | 0.95 | 0.95 [0.9494, 0.9506] |" in text and "| ExS-Net, target 0.01 | 0.98 |" in text
    rows = {row.quantity: (row.ours, row.limit) for row in made.sections["Of how many learned rules it holds"]}
    assert rows["ExS-Net, 2 participants, 2 resources: dominated by no baseline, and above the segment"] == (2, 2)
    honest = "above partial allocation's family, or less exploitable than all of it"
    assert rows[f"ExS-Net, 2 participants, 2 resources: {honest}"] == (2, 2), "the family begins where nobody is honest"
    assert "2 of 2 points are dominated by no baseline and lie above the segment by more than the interval" in text
    assert sorted(path.name for path in tmp_path.glob("n2-m2/exs_net/*/s1/judgement.json")) == ["judgement.json"] * 2
    assert [figure.read_bytes()[:4] for figure in made.figures] == [b"\x89PNG"]
    monkeypatch.setattr(launch, "train", None)
    monkeypatch.setattr(payment_free_judged, "judge", None)
    again = reproduce.reproduce("payment_free", tmp_path, 2)
    assert again.comparisons == made.comparisons, "nothing is trained or judged twice"


def test_what_is_trained_is_a_valid_config():
    for size in payment_free.SIZES:
        for network in payment_free.NETWORKS:
            for asked in network.asked.values():
                config = load_config(network.config, [f"game.n={size.n}", *size.training[network.config], *asked])
                assert config.trainer.evaluation.compared == 0 and config.game.make().n == size.n
