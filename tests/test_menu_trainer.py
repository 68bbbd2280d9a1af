"""The trainer of menus: its smoothed objective, its runs, and what they reach."""

from dataclasses import replace

import numpy as np
import pytest

import lawgiver
from lawgiver.agents.direct_auctions import LearnedMenu
from lawgiver.agents.reporting import NamedRule
from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.multi_item_auction import menus
from lawgiver.envs.multi_item_auction.solutions import corners_of, known_menu, revenue_of
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.evaluation.item_auctions import measured
from lawgiver.trainers.menu.evaluation import best_auction, compared
from lawgiver.trainers.menu.learner import Learner, myerson_start, unit_of
from lawgiver.trainers.runs import launch
from lawgiver.trainers.runs.run import Run

torch = pytest.importorskip("torch")

from lawgiver.trainers.menu.objective import smoothed  # noqa: E402

QUICK = ["trainer.evaluation.profiles=20000", "trainer.evaluation.probe=500"]


@pytest.fixture
def undrawn(monkeypatch):
    """Leave out the figures."""
    monkeypatch.setattr(launch, "_draw", lambda run, summary: None)


def make(**params):
    return make_game("multi_item_auction", **params)


def numbers(game, count, seed=0):
    """Return values, shares, boosts and weights of a random menu, in float64."""
    rng = np.random.default_rng(seed)
    shares = game.of_use(menus.shares_of(rng.normal(0, 2, (count, game.n + 1, game.m))))
    values = game.initial_state(400, rng).types
    given = (values, shares, rng.uniform(-0.5, 0.1, count), np.exp(rng.normal(0, 0.3, game.n)))
    return [torch.tensor(each) for each in given]


@pytest.mark.parametrize("objective", ["revenue", "welfare"])
@pytest.mark.parametrize("params", [{"n": 1}, {"n": 3, "m": 2}, {"demand": "unit"}], ids=["one", "three", "unit"])
def test_smoothed_objective_is_the_exact_one_as_temperature_falls(params, objective):
    game = make(objective=objective, **params)
    values, shares, boosts, weights = numbers(game, 9)
    menu = LearnedMenu(game, shares=shares.numpy(), boosts=boosts.numpy(), log_weights=weights.log().numpy())
    exact = measured(game, menu, values.numpy()).mean()
    off = [abs(float(smoothed(values, shares, boosts, weights, t, objective)) - exact) for t in (0.1, 0.01, 1e-6)]
    assert off[0] > off[1] > off[2] and off[2] < 1e-5


def test_gradient_is_that_of_differences():
    values, *parts = numbers(make(n=2, m=2), 5)
    rng = torch.Generator().manual_seed(1)
    direction = [torch.randn(each.shape, dtype=each.dtype, generator=rng) for each in parts]
    leaves = [each.clone().requires_grad_() for each in parts]
    smoothed(values, *leaves, 0.05, "revenue").backward()
    slope = sum(float((leaf.grad * each).sum()) for leaf, each in zip(leaves, direction, strict=True))
    step = 1e-6
    ends = [
        float(smoothed(values, *(p + s * step * d for p, d in zip(parts, direction, strict=True)), 0.05, "revenue"))
        for s in (1, -1)
    ]
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)


def test_starts_and_units():
    game = make(n=2, m=3)
    values = game.initial_state(20_000, np.random.default_rng(0)).types
    assert unit_of(game, values) == pytest.approx(2.0, abs=0.02)
    assert unit_of(make(n=1, demand="unit"), values[:, :1, :2]) == pytest.approx(2 / 3, abs=0.01)
    logits, boosts = myerson_start(game, 40, 1.0, np.random.default_rng(0))
    shares = menus.shares_of(logits)
    sold = (shares > 0.5).sum((1, 2))
    assert boosts == pytest.approx(-0.5 * sold, abs=1e-9) and set(sold) <= {0, 1, 2, 3}
    kinds = {tuple(each) for each in (shares > 0.5).reshape(40, -1)}
    assert len(kinds) == 3**3  # each of the allocations, and some of them twice
    with pytest.raises(UnsupportedGameError, match=r"'item_myerson' is not a rule"):
        myerson_start(make(demand="unit"), 4, 1.0, np.random.default_rng(0))


def test_a_menu_for_one_bidder_comes_near_the_optimum(tmp_path, undrawn):
    changes = ["game.n=1", "trainer.updates=500", "trainer.batch=256", *QUICK, f"run_dir={tmp_path / 'r'}"]
    folder, summary = launch.train("menu", changes)
    earned = summary["revenue"]
    game = make(n=1)
    assert earned["limit"] == game.limit() == pytest.approx(0.5492, abs=5e-5)
    assert earned["learned"].mean <= game.limit() + 4 * earned["learned"].standard_error
    assert 0.985 < summary["ratio_to_limit"].mean <= 1 + 4 * summary["ratio_to_limit"].standard_error
    assert summary["ratio_to_limit"].standard_error < 0.003  # of differences, profile by profile
    assert earned["vcg"].mean == 0 and earned["item_myerson"].mean == pytest.approx(0.5, abs=0.01)
    menu = lawgiver.load(folder, "mechanism")
    exact = revenue_of(corners_of(game), menu.shares[:, 0], -menu.boosts + max(0.0, menu.boosts.max()))
    assert earned["learned"].mean == pytest.approx(exact, abs=4 * earned["learned"].standard_error)
    found = audit_game(game, menu, game.initial_state(50, np.random.default_rng(1)).types, effort=1)
    assert found.largest_gain <= 1e-9
    assert {"objective", "smooth_objective", "temperature", "gradient_norm"} <= Run.open(folder).lines()[-1].keys()
    again = lawgiver.evaluate(folder)
    assert again["revenue"]["learned"].mean != earned["learned"].mean
    assert again["revenue"]["learned"].mean == pytest.approx(earned["learned"].mean, abs=0.02)


def timeless(data):
    return {key: value for key, value in data.items() if key != "timing"}


def test_a_run_that_is_interrupted_ends_as_one_that_is_not(tmp_path, undrawn, interrupted_and_whole):
    changes = ["game.n=2", "game.m=1", "trainer.updates=30", "trainer.log_every=10", "trainer.checkpoint_every=10"]
    changes += ["trainer.batch=32", "agents.mechanism.entries=6", "agents.mechanism.start=item_myerson", *QUICK]
    _, logged = interrupted_and_whole("menu", changes, before=(Learner, "update", 17))
    assert logged == [1, 10, 20, 30]
    one, other = (lawgiver.load(tmp_path / part, "mechanism").state() for part in ("whole", "parts"))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_menus_are_learned_for_welfare_and_then_announced(tmp_path, undrawn):
    changes = ["agents.mechanism.entries=8", "game.objective=welfare", "agents.mechanism.weights=fixed",
               "trainer.updates=20", "trainer.batch=64", *QUICK]  # fmt: skip
    folder, summary = launch.train("menu", [*changes, f"run_dir={tmp_path / 'r'}"])
    assert summary["welfare"]["vcg"].mean == pytest.approx(4 / 3, abs=0.02)
    assert summary["ratio_to_limit"].mean < 1
    assert not lawgiver.load(folder, "mechanism").log_weights.any()
    assert summary["parameters"] == 8 * (3 * 2 + 1)
    game, announcing = make(), make(mechanism_mode="announce", entries=9)
    types = game.initial_state(200, np.random.default_rng(0)).types
    one, other = (play_out(each, lawgiver.load(folder, "mechanism", game=each), types, types)
                  for each in (game, announcing))  # fmt: skip
    assert other.parameters.shape == (200, 9 * (3 * 2 + 1) + 2)
    assert other.payments == pytest.approx(one.payments, abs=1e-6) and one.shares.max() > 0.5
    with pytest.raises(UnsupportedGameError, match="8 entries cannot be announced in a game with entries=7"):
        lawgiver.load(folder, "mechanism", game=make(mechanism_mode="announce", entries=7))


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        (["game={name: sequential_sales}"], UnsupportedGameError, "sells several items by reported values"),
        (["game.objective=rawlsian"], UnsupportedGameError, "has none for objective 'rawlsian'"),
        (["game.mechanism_mode=announce"], UnsupportedGameError, "needs game.mechanism_mode='allocate'; once learned"),
        (["game.entries=4"], ParameterError, "game.entries is 4: .*; allowed: agents.mechanism.entries"),
        (["agents.mechanism.entries=0"], ParameterError, "agents.mechanism.entries"),
        (["trainer.temperature={start: 0.1}"], ParameterError, "temperature"),
    ],
)
def test_what_does_not_fit_is_refused(changes, error, words, tmp_path):
    with pytest.raises(error, match=words) as caught:
        launch.train("menu", [*changes, f"run_dir={tmp_path / 'r'}"])
    assert isinstance(caught.value, LawgiverError) and "\n" not in str(caught.value)


# -- optima by linear programming ---------------------------------------------------------------------------


def best_on_grid(values, unit):
    """Compute the greatest revenue from one bidder who has each of some types (K, 2) as often: a linear program.

    Variables are the shares and the price of each type's entry; each type prefers its own entry to any other, and to
    nothing.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    count = len(values)
    i, k = np.nonzero(~np.eye(count, dtype=bool))
    row = np.arange(len(i))
    entries = [
        *((row, 3 * i + j, -values[i, j]) for j in range(2)),
        *((row, 3 * k + j, values[i, j]) for j in range(2)),
        (row, 3 * i + 2, np.ones(len(i))),
        (row, 3 * k + 2, -np.ones(len(i))),
    ]
    each = np.arange(count)
    rational = [(len(i) + each, 3 * each + j, -values[:, j]) for j in range(2)]
    rational.append((len(i) + each, 3 * each + 2, np.ones(count)))
    rows, columns, filled = (np.concatenate(part) for part in zip(*entries, *rational, strict=True))
    bound = np.zeros(len(i) + count)
    if unit:
        rows = np.append(rows, np.repeat(len(bound) + each, 2))
        columns = np.append(columns, (3 * each[:, None] + [0, 1]).ravel())
        filled, bound = np.append(filled, np.ones(2 * count)), np.append(bound, np.ones(count))
    gain = np.tile([0.0, 0.0, -1.0 / count], count)
    limits = [(0, 1), (0, 1), (None, None)] * count
    matrix = coo_array((filled, (rows, columns)), shape=(len(bound), 3 * count)).tocsr()
    return -linprog(gain, A_ub=matrix, b_ub=bound, bounds=limits, method="highs").fun


@pytest.mark.parametrize(
    "params",
    [{"n": 1}, {"n": 1, "high": [[4, 3]]}, {"preset": "unit_demand"}, {"preset": "unequal_items"}],
    ids=["uniform", "4x3", "unit", "unequal"],
)
def test_known_menus_are_bracketed_by_linear_programs(params):
    """On a grid of types the program earns at least what the menu does there, and about its revenue on the square."""
    game, cells = make(**params), 10
    steps = (np.arange(cells) + 0.5) / cells
    sides = [each.low + (each.high - each.low) * steps for each in game.distributions[0]]
    values = np.stack(np.meshgrid(*sides), -1).reshape(-1, 2)
    best = best_on_grid(values, game.demand == "unit")
    known = known_menu(game)
    menu = LearnedMenu(game, shares=known.shares[:, None], boosts=-known.prices)
    assert measured(game, menu, values[:, None]).mean() <= best + 1e-9
    spread = sum(each.high - each.low for each in game.distributions[0])
    assert abs(best - known.revenue) <= spread / cells / 2


def test_best_auctions_attain_the_limit():
    for params in ({"preset": "triangle"}, {"preset": "irregular_item"}, {"objective": "welfare"}):
        game = make(**params)
        types = game.initial_state(50_000, np.random.default_rng(0)).types
        earned = measured(game, best_auction(game), types)
        assert abs(earned.mean() - game.limit()) <= 4 * earned.std() / len(earned) ** 0.5
    assert best_auction(make()) is None
    assert isinstance(best_auction(make(n=3, m=1)), NamedRule)
    assert best_auction(replace(make(), demand="unit", objective="welfare")) is None


def test_profiles_of_a_file_are_judged_once_each(tmp_path):
    values = np.random.default_rng(0).random((7, 2, 2))
    np.savez(tmp_path / "types.npz", values=values)
    game = make(types_file=str(tmp_path / "types.npz"))
    menu = LearnedMenu(game, shares=np.ones((1, 2, 2)) / 2, boosts=np.zeros(1))
    found = compared(game, menu, 1_000, [0])["revenue"]
    second = np.sort(values, axis=1)[:, 0].sum(-1)
    assert found["vcg"].n == 7 and found["vcg"].mean == pytest.approx(second.mean())
