"""The documentation is run as it stands: README, walk-throughs, pages of the games. The site is built."""

import contextlib
import io
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.registry import GAMES, names
from lawgiver.envs.taxed_dilemma import TaxedDilemma
from lawgiver.trainers.cli import app, pages
from lawgiver.trainers.cli.pages import game_page
from lawgiver.trainers.runs.packaged_configs import config_names

ROOT = Path(__file__).parents[1]
SHELL = """
set -eu
pip() { "$PYTHON" -m pip "$@" --quiet --no-index --no-deps --no-build-isolation --target "$PYTHONPATH"; }
lawgiver() { "$PYTHON" -m lawgiver "$@"; }
"""
"""pip installs into a folder of the test's, and must not look around for what is there already."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it belongs into (empty for a command), its text."""

    language: str
    file: str
    text: str


def blocks(page, heading=None, language=None):
    """Return the fenced blocks of a page, or of one of its sections, in some of its languages."""
    text = (ROOT / page).read_text()
    if heading is not None:
        (text,) = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r'^```(\w+)(?: title="(\S+)")?\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)
    return [Block(*parts) for parts in found if language is None or parts[0] in language]


def run(block, folder, site=None):
    """Carry a block out in a folder: write its file, or run it. Returns what it prints.

    Without a ``site``, where packages are installed, it is run in this process, which has imported everything already.
    """
    if site is None:
        return run_here(block, folder)
    if block.file:
        (folder / block.file).parent.mkdir(exist_ok=True)
        (folder / block.file).write_text(block.text)
        return ""
    command = ["bash", "-c", SHELL + block.text] if block.language == "sh" else [sys.executable, "-c", block.text]
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHON": sys.executable}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run_here(block, folder):
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()) as printed:
        if block.language == "python":
            exec(compile(block.text, "example", "exec"), {"__name__": "__main__"})
            return printed.getvalue()
        for line in block.text.splitlines():
            program, *arguments = shlex.split(line, comments=True)
            assert program == "lawgiver"
            done = CliRunner().invoke(app, arguments, catch_exceptions=False)
            assert done.exit_code == 0, f"{line}\n{done.output}"
            print(done.stdout, end="")
    return printed.getvalue()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The documentation site, built without a warning."""
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout + done.stderr, done.stdout + done.stderr
    return folder


def test_the_site_loads_nothing_from_other_hosts(site):
    loaded = r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//|<link[^>]*\shref=["']?(?:https?:)?//"""
    assert [page for page in site.rglob("*.html") if re.search(loaded, page.read_text())] == []
    styles = r"""url\(["']?(?:https?:)?//|@import"""
    assert [page for page in site.rglob("*.css") if re.search(styles, page.read_text())] == []


def test_the_site_has_every_part(site):
    entries = json.loads((site / "search" / "search_index.json").read_text())["docs"]
    found = {entry["location"] for entry in entries if "logit equilibrium" in entry["text"].lower()}
    assert "concepts/#bounded-rationality" in found
    inventory = (site / "objects.inv").read_bytes()
    names = zlib.decompress(inventory.split(b"zlib.\n", 1)[1]).decode()
    for name in (
        "lawgiver.api.Game",
        "lawgiver.api.Trainer",
        "lawgiver.train",
        "lawgiver.testing.check_game",
        "lawgiver.envs.solvers.auctions.myerson",
        "lawgiver.envs.solvers.congestion.wardrop",
        "lawgiver.envs.solvers.equilibrium.logit",
        "lawgiver.envs.solvers.fair_division.proportional_fairness",
        "lawgiver.envs.solvers.matching.acceptance",
        "lawgiver.envs.solvers.mdp.affine",
        "lawgiver.envs.solvers.normal_form.forms",
        "lawgiver.envs.solvers.social_choice.rules",
    ):
        assert re.search(rf"^{re.escape(name)} ", names, re.MULTILINE), name


def test_get_started_prints_what_it_shows(tmp_path):
    printed = "".join(run(block, tmp_path) for block in blocks("docs/get_started.md", language=("sh", "python")))
    assert (tmp_path / "first" / "figures" / "payments.png").exists()
    for block in blocks("docs/get_started.md", language=("text",))[1:]:
        for line in filter(None, block.text.splitlines()):
            assert line.split() in [given.split() for given in printed.splitlines()], line


def test_tables_of_voting_rules_are_what_is_printed(tmp_path):
    page = "docs/concepts/social_choice.md"
    printed = [run(block, tmp_path) for block in blocks(page, language=("python",))]
    assert printed[1] in (ROOT / page).read_text() and printed[1].count("\n") == 15
    assert printed[2] == "17 17 2\n60 60 3\n38 38 2\n"


def test_clones_are_fitted_as_the_page_on_people_does(tmp_path):
    (example,) = blocks("docs/how_to/own_people.md", language=("python",))
    assert "n_hidden" in run(example, tmp_path)


def test_environments_are_stepped_as_the_page_says(tmp_path):
    (example,) = blocks("docs/how_to/own_algorithm.md", language=("python",))
    assert run(example, tmp_path).startswith("(4096, ")


def test_views_for_other_libraries_are_made_as_the_page_says(tmp_path):
    examples = blocks("docs/how_to/other_libraries.md", language=("python",))
    printed = [run(block, tmp_path) for block in examples if "stable_baselines3" not in block.text]
    assert printed == ["", "(2, 2, 2)\n", "(2, 64, 64)\nMatrixGame\n"]


def test_games_are_solved_as_the_page_says(tmp_path):
    printed = "".join(run(block, tmp_path) for block in blocks("docs/how_to/solve.md", language=("sh", "python")))
    assert "ce: payoffs participant_0 5.25; participant_1 5.25" in printed and printed.endswith("1.0\n0.0 True\n")


def test_election_page(tmp_path):
    (example,) = [block for block in blocks("docs/concepts/elections.md") if block.language == "python"]
    assert "mechanism_1" in run(example, tmp_path)


def test_affine_maximisers_settle_as_the_page_says(tmp_path):
    (example,) = [block for block in blocks("docs/concepts/affine_maximisers.md") if block.language == "python"]
    printed = run(example, tmp_path)
    assert "VCG: values [9. 0.] payments [6. 0.]" in printed
    assert "boosted: values [0. 6.] payments [0. 4.]" in printed
    assert "2 states, 4 boosts" in printed


def test_menus_earn_what_the_page_says(tmp_path):
    (example,) = [block for block in blocks("docs/concepts/optimal_auctions.md") if block.language == "python"]
    earned, limit = map(float, run(example, tmp_path, tmp_path).split())
    assert limit == pytest.approx((12 + 2 * 2**0.5) / 27) and earned == pytest.approx(limit, abs=0.005)


def test_allocations_are_solved_and_audited_as_the_page_says(tmp_path):
    printed = [
        run(block, tmp_path)
        for block in blocks("docs/concepts/payment_free_allocation.md")
        if block.language == "python"
    ]
    solved, audited = printed
    assert "[[0.1667 1.    ]" in solved and "keeps [[0.75 0.5 ]]" in solved
    assert re.search(r"an understated demand gains \d\d% of what the truth brings", audited)


def test_language_models_are_asked_as_the_page_says(tmp_path):
    asked, audited = (
        run(block, tmp_path)
        for block in blocks("docs/how_to/language_models.md")
        if block.language == "python" and not block.file
    )
    assert asked.startswith("(2, 3, 20) ") and len(asked.split()) == 3 + 12
    assert float(audited) < 1e-9


def test_what_is_said_of_voting_is_so(tmp_path):
    example, frontier = blocks("docs/concepts/voting.md", language=("python",))
    printed = run(example, tmp_path)
    found = re.findall(r"(\w+) +welfare ([\d.]+), gains (\w+)", printed)
    assert {name for name, _, gains in found if gains == "none"} == {"random_dictator", "random_pair_majority"}
    welfare = [float(number) for _, number, _ in found]
    assert welfare == sorted(welfare) and welfare[-1] == pytest.approx(0.580, abs=2e-3)
    page = (ROOT / "docs/concepts/voting.md").read_text()
    for n in (3, 5, 7):
        dictator, pair, borda, winner = (each.value() for each in make_game("voting", n=n).known_solutions())
        assert f"| {n} | {dictator:.5f} | {pair:.5f} | {borda:.5f} | {winner:.5f} |" in page
    corners = run(frontier, tmp_path).splitlines()
    assert len(corners) == 7 and "regret 0.02969, welfare 0.57938" in corners and corners[-1].startswith("0.5618")


def test_what_is_said_of_matching_is_so(tmp_path):
    rules, frontier, *_ = blocks("docs/concepts/matching.md")
    found = re.findall(r"(\w+) +stability ([\d.]+), blocking pairs ([\d.]+), who gains: (.+)", run(rules, tmp_path))
    assert [who for *_, who in found] == ["columns", "columns", "rows, columns", "nobody"]
    assert [float(blocking) == 0 for _, _, blocking, _ in found] == [True, False, False, False]
    ends = run(frontier, tmp_path).splitlines()
    assert ends == ["truthful for both sides: 0.23611 blocking pairs", "stable: regret 0.00386"]


def test_markets_from_files_are_played_as_the_page_says(tmp_path):
    town, audits, exchange = blocks("docs/concepts/matching.md", "Markets from files")
    printed = run(town, tmp_path).splitlines()
    assert printed[0] == "deferred_acceptance [[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]" and float(printed[-1]) > 0.3
    for name, source in {"bids.cat": "films.cat", "nurses.soi": "nurses.soi", "wards.toi": "wards.toi"}.items():
        (tmp_path / name).write_bytes((ROOT / "tests" / "data" / "votes" / source).read_bytes())
    said = run(audits, tmp_path)
    assert [f"among all {lists} lists" in said for lists in (65, 5, 16)] == [True, True, True]
    assert "{'Pair 1': 'Pair 3', 'Pair 2': 'Pair 1', 'Pair 3': 'Pair 2'}" in run(exchange, tmp_path)


def test_votes_are_read_and_handed_on_as_the_page_says(tmp_path):
    command, *examples = blocks("docs/how_to/votes_from_a_file.md")
    printed = [run(example, tmp_path) for example in examples]
    assert "('Canteen', 'Market', 'Park') [4 3 2]" in printed[0] and "# NUMBER VOTERS: 200" in printed[0]
    assert "[[ 3.  1.]\n [ 2. nan]] ('north', 'south')" in printed[1]
    assert "all 6 ballots" in run(command, tmp_path)  # of the file that the example has written


def test_readme_tour(tmp_path):
    pytest.importorskip("torch")
    tour, trained = blocks("README.md", language=("python",))
    printed = run(Block("python", "", tour.text + trained.text), tmp_path)
    found = re.findall(r"Nash welfare +([\d.]+)", printed)
    assert [float(number) for number in found] == [6.87, 7.99, 8.05, 8.69]
    assert "LearnedGraphMechanism(" in printed and "[[0.5 " in printed


def test_a_mechanism_is_scored_as_the_page_says(tmp_path):
    (example,) = blocks("docs/concepts/mechanism_games.md")
    printed = run(example, tmp_path)
    assert re.search(r"welfare +-0.4183\n", printed)
    assert "best in the box: -0.264" in printed


def test_prices_are_learned_as_the_page_says(tmp_path):
    (example,) = [block for block in blocks("docs/concepts/algorithmic_collusion.md") if block.language == "python"]
    printed = run(example, tmp_path, tmp_path)
    assert re.search(r"price +Nash 1.473  monopoly 1.925\n", printed)
    assert 0.3 < float(re.findall(r"profit gain ([\d.]+)", printed)[0]) < 0.9


def test_items_are_assigned_by_answers_as_the_page_says(tmp_path):
    (example,) = blocks("docs/concepts/online_allocation.md", language=("python",))
    dueling, random = (int(regret) for regret in re.findall(r"after 2,000 rounds (\d+),", run(example, tmp_path)))
    assert 50 < dueling < 0.7 * random


def test_a_common_pool_is_solved_as_the_page_says(tmp_path):
    page = "docs/concepts/commons.md"
    examples = "".join(block.text for block in blocks(page) if block.language == "python")
    printed = run(Block("python", "", examples), tmp_path)
    told = (ROOT / page).read_text()
    for number in re.findall(r"^ *(\d+\.\d{4})  (?:most|kept)", printed, re.MULTILINE):
        assert f"| {float(number):.2f} |" in told
    kept = re.findall(r" kept (\d\.\d{3})  residual \de-\d\d", printed)
    assert kept == ["2.062", "1.992", "1.569", "1.259"]


def test_a_rule_is_audited_as_the_page_says(tmp_path):
    (example,) = [block for block in blocks("docs/concepts/audits.md") if block.language == "python"]
    printed = run(example, tmp_path)
    gain, known = (float(number) for number in re.findall(r"(?:mean gain|which gains) ([\d.]+)", printed))
    assert known > 0.05 and abs(gain - known) <= 0.002


@pytest.mark.parametrize("heading", ["Add a game", "Add a mechanism"])
def test_walk_through(heading, tmp_path):
    (tmp_path / "site").mkdir()
    steps = blocks("CONTRIBUTING.md", heading)
    assert [step.language for step in steps] == ["toml", "python", "sh", "python"]
    printed = "".join(run(step, tmp_path, tmp_path / "site") for step in steps)
    if heading == "Add a game":
        assert "toll_road-v0" in printed
        assert "# lawgiver/toll_road-v0" in printed
        assert "largest sum of payoffs a day | 5 |" in printed
        assert "The day's payoff in points, once everybody has driven" in printed


def run_page(page, folder):
    """Carry out every block of a page in order, those of shown output excepted. Returns what they print."""
    (folder / "site").mkdir()
    steps = [step for step in blocks(page) if step.language != "text"]
    return "".join(run(step, folder, folder / "site") for step in steps)


def test_own_trainer_is_run_as_the_page_says(tmp_path):
    pytest.importorskip("torch")
    page = "docs/how_to/own_trainer.md"
    printed = [line.split() for line in run_page(page, tmp_path).splitlines()]
    (shown,) = blocks(page, language=("text",))
    assert [line for line in shown.text.splitlines() if line.split() not in printed] == []
    assert [path.name for path in (tmp_path / "out" / "figures").iterdir()] == ["search.png"]


def test_own_learned_policy_is_run_as_the_page_says(tmp_path):
    pytest.importorskip("torch")
    page = "docs/how_to/own_learned_policy.md"
    printed = run_page(page, tmp_path)
    (shown,) = blocks(page, language=("text",))
    assert shown.text in printed


def test_every_result_is_listed():
    text = (ROOT / "docs" / "results" / "index.md").read_text()
    pages = [page.name for page in (ROOT / "docs" / "results").glob("*.md")]
    assert [name for name in pages if name != "index.md" and f"]({name}) |" not in text] == []


def test_the_figures_of_the_readme_are_those_of_the_results():
    told = (
        (ROOT / "README.md").read_text().partition("<!-- results: begin -->")[2].partition("<!-- results: end -->")[0]
    )
    known = "".join(page.read_text() for page in (ROOT / "docs" / "results").glob("*.md"))
    figures = set(re.findall(r"\d+\.\d+", told))
    assert len(figures) > 20 and figures <= set(re.findall(r"\d+\.\d+", known))


@pytest.mark.parametrize("name", config_names())
def test_the_first_line_of_a_config_says_what_it_is(name):
    first = (ROOT / "configs" / f"{name}.yaml").read_text().partition("\n")[0]
    assert re.fullmatch(r"# [^|]{20,}\.", first), first


@pytest.mark.parametrize(
    "page", [path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))], ids=str
)
def test_links(page):
    text = re.sub(r"^```.*?^```$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", text):
        if "://" not in target:
            linked = (ROOT / page).parent / target if target else ROOT / page
            assert linked.exists(), f"{page} links to {target}"
            assert not anchor or is_anchor(anchor, linked), f"{page} links to {target}#{anchor}"


def is_anchor(anchor, page):
    """Say whether a heading of a page has an anchor, on GitHub and the site, or the page documents what it names."""
    text = page.read_text()
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    documented = re.findall(r"^::: (\S+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
    return anchor in made or any(f"{anchor}.".startswith(f"{name}.") for name in documented)


def section(page, heading):
    """Return what a page says under a heading."""
    return page.partition(f"\n{heading}\n")[2].partition("\n## ")[0]


def test_a_page_says_how_a_game_is_shown_played_and_paid():
    page = game_page("public_investment")
    announce = page.partition("### announce\n")[2].partition("###")[0]
    for field in ("| `rule_p` | 1 | [0, 12] |", "| `rule_q` | 1 | [-1, 2] |", "| `p` | 1 |", "| `q` | 1 |"):
        assert field in announce
    assert "`rule_w`" in page and "`own_endowment`" in page.partition("see only the rule\n")[2]
    masks = section(page, "## Infos and masks")
    assert "action_mask" in masks and "of participant_0 to participant_3." in masks and "nearest legal" in masks
    assert "mask_in_observation=True" in masks and "ActionError" in masks
    ends = section(page, "## How a game ends")
    assert "after exactly 20 steps" in ends and "NextStep" in ends and "max_cycles" in ends
    assert "payoff in points" in section(page, "## participant_0 to participant_3")
    assert "By default `log_nash_welfare`: the sum of log(payoff + 0.001)" in section(page, "## mechanism")
    assert section(page, "## Versions").strip() == "- v0: first version"


def test_a_page_tells_a_game_that_may_be_cut_off_and_has_no_masks():
    page = game_page("taxed_dilemma")
    assert "*truncated* when it is cut off, after 40 steps" in section(page, "## How a game ends")
    assert section(page, "## Infos and masks").strip().startswith("Infos are empty")
    assert "## Spaces with other arguments" not in page


class Plain(TaxedDilemma):
    """A game that neither names an objective nor says what is paid."""

    reward_meaning = {}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        object.__setattr__(self, "objective", None)


def test_a_page_claims_no_objective_that_a_game_does_not_name(monkeypatch):
    monkeypatch.setattr(pages, "make_game", lambda name: Plain())
    mechanism = section(game_page("taxed_dilemma"), "## mechanism")
    assert "objective" not in mechanism and "In the game's own units." in mechanism


@pytest.mark.parametrize(
    ("page", "made"),
    [("games/index.md", "game_list"), ("reference/configs.md", "config_list"), ("reference/study.md", "study_page")],
)
def test_lists_are_fresh(page, made):
    fresh = runpy.run_path(str(ROOT / "docs" / "generate.py"))[made]()
    assert (ROOT / "docs" / page).read_text() == fresh, "run: make docs"


@pytest.mark.parametrize("name", [name for name in names(GAMES) if (ROOT / "envs" / name.rpartition("-")[0]).exists()])
def test_pages_of_the_games_are_fresh(name):
    assert (ROOT / "docs" / "games" / f"{name}.md").read_text() == game_page(name), "run: make docs"
