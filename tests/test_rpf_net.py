"""RPF-Net: the programme that it solves, its gradients, what charges do, and what is kept of it."""

import json

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.payment_free_allocation.measures import mean_log_utility, utilities
from lawgiver.envs.solvers.fair_division.proportional_fairness import duality_gap, proportional_fairness

torch = pytest.importorskip("torch")

from lawgiver.agents.equivariant import relative_values  # noqa: E402
from lawgiver.agents.learned import load_policy, save_policy  # noqa: E402
from lawgiver.agents.rpf_net import LearnedRPFNet  # noqa: E402

ARCHITECTURES = ("equivariant", "plain")
NOTHING = -60.0
"""Parameter of the scale at which charges vanish."""


def allocation(**parameters):
    return make_game("payment_free_allocation", **parameters)


def wild(game, seed=0, spread=0.3, scale=None, **settings):
    """Return a mechanism whose weights are any, those of the last layers too."""
    torch.manual_seed(seed)
    mechanism = LearnedRPFNet(game, **settings)
    with torch.no_grad():
        for parameter in mechanism.network.scorer.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
        if scale is not None:
            mechanism.network.scale.fill_(scale)
    return mechanism


def reports(game, batch=24, seed=0):
    """Return values and demands of the game's types."""
    return game.split(game.initial_state(batch, np.random.default_rng(seed)).types)


def on_torch(*arrays):
    return [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in arrays]


def charges(mechanism, values, demands):
    """Return the charges (B, n, m), detached."""
    values, demands = torch.tensor(values), torch.tensor(demands)
    with torch.no_grad():
        return mechanism.network.charges(relative_values(values, demands), demands)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_without_charges_and_ridge_it_is_proportional_fairness(architecture):
    game = allocation(n=4, m=3, weights=(1, 2, 1, 0.5), supply=(1.0, 2.0, 3.0))
    mechanism = wild(game, scale=NOTHING, ridge=0, architecture=architecture)
    values, demands = reports(game)
    fair = proportional_fairness(values, demands, game.supplies, game.weighting)
    np.testing.assert_allclose(mechanism.allocate(values, demands), fair.amounts, atol=1e-6)


def test_starts_next_to_proportional_fairness():
    game = allocation(n=5, m=3)
    torch.manual_seed(0)
    mechanism = LearnedRPFNet(game)
    values, demands = reports(game)
    fair = proportional_fairness(values, demands, game.supplies, game.weighting).amounts
    found = mechanism.allocate(values, demands)
    best, start = (mean_log_utility(utilities(x, values, demands), game.weighting) for x in (fair, found))
    assert (start <= best + 1e-9).all() and start.mean() > best.mean() - 5e-3


def test_solves_the_programme_with_its_charges():
    game = allocation(n=4, m=3)
    mechanism = wild(game, spread=1.0, scale=1.0)
    values, demands = reports(game)
    relative = relative_values(torch.tensor(values), torch.tensor(demands))
    amounts = torch.tensor(mechanism.allocate(values, demands))
    network = mechanism.network
    gap = duality_gap(
        amounts, relative, torch.tensor(demands), network.supply, network.weights,
        charges=charges(mechanism, values, demands), ridge=network.ridge,
    )  # fmt: skip
    assert (gap <= 1e-7).all()


def test_charges_lie_between_nothing_and_what_the_scale_allows():
    game = allocation(n=3, m=2, supply=(0.5, 2.0), weights=(1, 2, 3))
    mechanism = wild(game, spread=5.0, scale=0.0)
    found = charges(mechanism, *reports(game))
    most = np.log(2) * 4 * 6 / 2.5  # softplus(0) (n + 1) W / sum of b, of all of the supply
    assert (found >= 0).all() and (found <= most + 1e-9).all()
    assert (found.sum(1) <= most + 1e-9).all()  # A is an allocation: columns sum to the supply at most


def test_charges_above_the_worth_of_a_unit_burn():
    game = allocation(n=3, m=2, supply=1.0)
    values, demands = reports(game)
    kept = [wild(game, spread=0.0, scale=scale).allocate(values, demands).sum(1) for scale in (NOTHING, 1.0, 4.0)]
    assert (kept[0] >= np.minimum(demands.sum(1), 1) - 1e-3).all()  # but for the ridge all of it is used
    assert (kept[1] <= kept[0] + 1e-6).all() and (kept[2] <= kept[1] + 1e-6).all()
    assert (kept[2] < kept[0] - 0.2).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_feasible_for_any_weights_in_both_modes(architecture):
    game = allocation(n=4, m=2, present=0.5)
    values, demands = reports(game)
    for seed, spread, scale in ((0, 1.0, 0.0), (1, 5.0, 3.0)):
        mechanism = wild(game, seed, spread, scale, architecture=architecture)
        for training in (True, False):
            mechanism.network.train(training)
            amounts = mechanism.allocate(values, demands)
            assert np.isfinite(amounts).all() and amounts.dtype == np.float64
            assert (amounts >= 0).all() and (amounts <= demands).all()
            assert (amounts.sum(1) <= game.supplies * (1 + 1e-9)).all()
            assert (amounts[demands == 0] == 0).all()


def test_one_participant_of_one_resource():
    game = allocation(n=1, m=1)
    amounts = wild(game, scale=NOTHING).allocate(np.full((1, 1, 1), 0.5), np.full((1, 1, 1), 0.4))
    assert amounts[0, 0, 0] == pytest.approx(0.4, abs=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_in_training_against_differences(architecture):
    game = allocation(n=3, m=2)
    network = wild(game, scale=0.5, architecture=architecture).network.train()
    given = on_torch(*reports(game, 8))
    weigh = torch.tensor(np.random.default_rng(0).normal(size=given[0].shape))
    parameters = list(network.parameters())
    slopes = torch.autograd.grad((weigh * network(*given)).sum(), [*given, *parameters])
    rng, step = np.random.default_rng(1), 1e-5
    for one, slope in zip([*given, *parameters], slopes, strict=True):
        way = torch.tensor(rng.normal(size=slope.shape))
        kept, ends = one.data, []
        for sign in (1, -1):
            one.data = kept + sign * step * way
            ends.append(float((weigh * network(*given)).sum().detach()))
        one.data = kept
        assert float((slope * way).sum()) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4, abs=1e-6)


def test_multiplying_all_values_changes_nothing():
    game = allocation(n=4, m=3)
    mechanism = wild(game)
    values, demands = reports(game)
    amounts = mechanism.allocate(values, demands)
    half = values.copy()
    half[:, 1] *= 0.5
    np.testing.assert_array_equal(mechanism.allocate(half, demands), amounts)


def test_participants_and_resources_may_stand_in_any_order():
    game = allocation(n=4, m=3, weights=(1, 2, 3, 1), supply=(1.0, 2.0, 1.5))
    mechanism = wild(game)
    values, demands = reports(game)
    rows, columns = np.array([3, 0, 1, 2]), np.array([2, 0, 1])
    moved = LearnedRPFNet(
        allocation(n=4, m=3, weights=tuple(game.weighting[rows]), supply=tuple(game.supplies[columns]))
    )
    moved.network.load_state_dict(mechanism.network.state_dict())
    found = moved.allocate(values[:, rows][..., columns], demands[:, rows][..., columns])
    np.testing.assert_allclose(found, mechanism.allocate(values, demands)[:, rows][..., columns], atol=1e-5)


def test_the_same_on_torch_and_differentiable():
    game = allocation(n=3, m=2)
    mechanism = wild(game)
    values, demands = reports(game, 8)
    given = on_torch(values, demands)
    amounts = mechanism.allocate(*given)
    assert amounts.dtype == torch.float64
    np.testing.assert_allclose(amounts.detach(), mechanism.allocate(values, demands), atol=1e-9)
    slopes = torch.autograd.grad(amounts.square().sum(), [*given, *mechanism.network.parameters()])
    assert all(torch.isfinite(slope).all() for slope in slopes)
    single = mechanism.allocate(*(x.detach().float() for x in given))
    assert single.dtype == torch.float32


def test_kept_and_loaded(tmp_path):
    game = allocation(n=3, m=2)
    mechanism = wild(game, hidden=(8,), ridge=0.01)
    save_policy(tmp_path / "kept", mechanism)
    kept = json.loads((tmp_path / "kept" / "policy.json").read_text())
    assert kept["settings"] == {"architecture": "equivariant", "hidden": [8], "ridge": 0.01}
    loaded = load_policy(tmp_path / "kept", game, "mechanism")
    values, demands = reports(game)
    np.testing.assert_array_equal(loaded.allocate(values, demands), mechanism.allocate(values, demands))
    same = wild(game, hidden=(8,), ridge=0.01).network.state_dict()
    assert all(torch.equal(x, same[name]) for name, x in mechanism.network.state_dict().items())


def test_wrong_settings_and_games_are_named():
    game = allocation(n=3, m=2)
    with pytest.raises(ParameterError, match=r"architecture is 'deep': allowed: equivariant, plain"):
        LearnedRPFNet(game, architecture="deep")
    with pytest.raises(ParameterError, match=r"ridge is -1, allowed: a number in \[0, inf\)"):
        LearnedRPFNet(game, ridge=-1)
    with pytest.raises(UnsupportedGameError, match=r"rpf_net.*divisible resources"):
        LearnedRPFNet(make_game("public_investment"))
    with pytest.raises(UnsupportedGameError, match=r"rpf_net.*allocate"):
        LearnedRPFNet(allocation(mechanism_mode="announce"))
