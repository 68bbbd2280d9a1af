"""ExS-Net: how resources are shared out, what can never happen whatever the weights, and what is kept of it."""

import json
from itertools import pairwise

import numpy as np
import pytest

from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.payment_free_allocation.measures import mean_log_utility, utilities
from lawgiver.envs.payment_free_allocation.sharing import water_filling
from lawgiver.envs.solvers.fair_division.proportional_fairness import solve

torch = pytest.importorskip("torch")

from lawgiver.agents.equivariant import EquivariantScorer, features, relative_values  # noqa: E402
from lawgiver.agents.exs_net import SOFTNESS, LearnedExSNet, capped, share_out  # noqa: E402
from lawgiver.agents.learned import load_policy, save_policy  # noqa: E402

ARCHITECTURES = ("equivariant", "plain")
SIZES = [{"n": 5, "m": 3}, {"n": 3, "m": 2, "supply": (0.4, 2.0), "weights": (1.0, 2.0, 0.5)}, {"n": 1, "m": 1}]


def allocation(**parameters):
    return make_game("payment_free_allocation", **parameters)


def wild(game, seed=0, spread=1.0, **settings):
    """Return a mechanism whose weights are any, those of the last layers too."""
    torch.manual_seed(seed)
    mechanism = LearnedExSNet(game, **settings)
    with torch.no_grad():
        for parameter in mechanism.network.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return mechanism


def reports(game, batch=64, seed=0):
    """Return values and demands, some of which are zero."""
    rng = np.random.default_rng(seed)
    shape = (batch, game.n, game.m)
    values, demands = rng.uniform(0.1, 1, shape), rng.uniform(0, 1, shape)
    return values, demands * (rng.random(shape) > 0.2)


def on_torch(*arrays):
    return [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in arrays]


# -- sharing out ------------------------------------------------------------------------------------------------


def random_shares(batch, n, m, seed=0):
    rng = np.random.default_rng(seed)
    shares = torch.tensor(rng.dirichlet(np.ones(n), (batch, m))).mT
    return shares, torch.tensor(rng.uniform(0, 1, (batch, n, m))), torch.tensor(rng.uniform(0.2, n / 2, m))


def test_hard_caps_share_out_as_water_filling_by_weight_does():
    shares, caps, supply = random_shares(200, 4, 3)
    found = share_out(shares, caps, supply, rounds=6, softness=0.0)
    for one in range(0, 200, 20):  # the rule of the game has the weights of participants, not of cells
        for j in range(3):
            expected = water_filling(
                caps[one, None, :, j : j + 1].numpy(), supply[j : j + 1].numpy(), shares[one, :, j].numpy()
            )
            np.testing.assert_allclose(found[one, :, j], expected[0, :, 0], atol=1e-9)


def test_one_round_is_the_capped_share_and_each_one_more_hands_out_no_less():
    shares, caps, supply = random_shares(200, 4, 3)
    handed = [share_out(shares, caps, supply, rounds, softness=0.0) for rounds in range(1, 6)]
    torch.testing.assert_close(handed[0], torch.minimum(shares * supply, caps))
    for fewer, more in pairwise(handed):
        assert (more >= fewer - 1e-12).all()


@pytest.mark.parametrize("softness", [0.0, SOFTNESS, 0.05])
@pytest.mark.parametrize("rounds", [1, 2, 3, 8])
def test_no_round_hands_out_more_than_there_is_or_is_wanted(rounds, softness):
    shares, caps, supply = random_shares(500, 5, 3, seed=rounds)
    found = share_out(shares, caps, supply, rounds, softness)
    assert (found >= 0).all() and (found <= caps).all()
    assert (found.sum(1) <= supply + 1e-12).all()


@pytest.mark.parametrize("softness", [0.0, SOFTNESS])
def test_what_is_wanted_may_be_all_there_is_but_for_rounding(softness):
    shares, caps, _ = random_shares(2000, 5, 1)
    shares[:, -1], caps[:, -1] = 1e-9, 0.5  # next to nobody wants more
    shares, caps = shares.float(), caps.float()
    supply = caps[:, :-1].double().sum(1, keepdim=True).float()
    assert (caps[:, :-1].sum(1, keepdim=True) > supply).any()
    found = share_out(shares, caps, supply, 8, softness)
    assert (found >= 0).all() and (found <= caps).all()
    assert (found.sum(1, keepdim=True) <= supply * (1 + 1e-6)).all()


def test_soft_caps_are_the_root_they_say_and_their_slope_is_its_derivative():
    rng = np.random.default_rng(0)
    offers, caps = on_torch(rng.uniform(0, 2, 300), rng.uniform(0, 1, 300))
    taken, slope = capped(offers, caps, 0.01)
    torch.testing.assert_close((offers - taken) * (caps - taken), 0.01 * offers * caps)
    torch.testing.assert_close(slope, torch.autograd.grad(taken.sum(), offers)[0])
    hard, _ = capped(offers, caps, 0.0)
    assert (taken <= hard).all() and (taken >= (1 - 0.1) * hard - 1e-12).all()  # sqrt(0.01) below at most
    at_zero = on_torch([0.0, 0.0, 0.7], [0.0, 0.7, 0.0])
    zero, _ = capped(*at_zero, 0.01)
    assert (zero == 0).all()
    assert all(torch.isfinite(slope).all() for slope in torch.autograd.grad(zero.sum(), at_zero))


@pytest.mark.parametrize("softness", [0.0, 0.01])
def test_gradients_of_sharing_out_against_differences(softness):
    shares, caps, _ = random_shares(40, 4, 2)
    supply = 0.7 * caps.sum(1, keepdim=True)  # less than is wanted
    weigh = torch.tensor(np.random.default_rng(1).normal(size=shares.shape))
    given = [shares.log().requires_grad_(), caps.requires_grad_(), supply.requires_grad_()]

    def worth(logits, caps, supply):
        return (weigh * share_out(logits.softmax(1), caps, supply, 40, softness)).sum((1, 2))

    slopes = torch.autograd.grad(worth(*given).sum(), given)
    rng = np.random.default_rng(2)
    ways = [torch.tensor(rng.normal(size=x.shape)) for x in given]
    step = 1e-7
    with torch.no_grad():
        ahead, behind = (worth(*(x + sign * way for x, way in zip(given, ways, strict=True))) for sign in (step, -step))
    along = sum((slope * way).sum((1, 2)) for slope, way in zip(slopes, ways, strict=True))
    torch.testing.assert_close(along, (ahead - behind) / (2 * step), rtol=1e-4, atol=1e-4)


# -- the mechanism ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("parameters", SIZES)
def test_feasible_for_any_weights_in_both_modes(parameters, architecture):
    game = allocation(**parameters)
    values, demands = reports(game)
    for seed, spread in ((0, 0.3), (1, 3.0), (2, 30.0)):
        mechanism = wild(game, seed, spread, architecture=architecture)
        for training in (True, False):
            mechanism.network.train(training)
            amounts = mechanism.allocate(values, demands)
            assert np.isfinite(amounts).all() and amounts.dtype == np.float64
            assert (amounts >= 0).all() and (amounts <= demands).all()
            assert (amounts.sum(1) <= game.supplies * (1 + 1e-6)).all()
            assert (amounts[demands == 0] == 0).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_shares_of_all_and_of_the_synthetic_participant_sum_to_one(architecture):
    game = allocation(n=4, m=2)
    network = wild(game, spread=0.1, architecture=architecture).network
    values, demands = (torch.tensor(x, dtype=torch.float32) for x in reports(game))
    shares, asked = network.shares(values, demands)
    torch.testing.assert_close(shares[:, 1:].sum(1), 1 - shares[:, 0])
    assert (shares[:, 1:][demands == 0] == 0).all() and (shares[:, 0] > 0).all()
    assert ((asked >= 0) & (asked <= network.supply)).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("parameters", SIZES)
def test_starts_as_water_filling_but_for_the_little_that_is_burnt(parameters, architecture):
    game = allocation(**parameters)
    torch.manual_seed(0)
    mechanism = LearnedExSNet(game, architecture=architecture)
    values, demands = reports(game)
    amounts = mechanism.allocate(values, demands)
    full = water_filling(demands, game.supplies, game.weighting)
    burnt = (full - amounts).sum(1)
    assert (burnt >= -1e-6).all() and (burnt <= 0.02 * game.supplies).all()
    assert (amounts <= full + 1e-6).all()
    network = mechanism.network
    with torch.no_grad():  # without the synthetic participant it is water filling
        bias = network.scorer.pooled.bias if architecture == "equivariant" else network.scorer.last.bias[-2 * game.m :]
        bias -= 40.0
    np.testing.assert_allclose(mechanism.allocate(values, demands), full, atol=1e-6)


def test_all_scores_zero_and_one_round_is_equal_split_with_one_more_participant():
    game = allocation(n=4, m=2)
    mechanism = LearnedExSNet(game, rounds=1)
    values, demands = reports(game)
    amounts = mechanism.allocate(values, demands + 0.01)
    np.testing.assert_allclose(amounts, np.minimum(demands + 0.01, game.supplies / 5), rtol=1e-6)


@pytest.mark.parametrize("rounds", [1, 8])
def test_nobody_gains_by_a_misreport_at_the_start(rounds):
    game = allocation(n=3, m=2)
    mechanism = LearnedExSNet(game, rounds=rounds)
    values, demands = reports(game, 200)
    honest = utilities(mechanism.allocate(values, demands), values, demands)
    for seed in range(20):
        lie_values, lie_demands = values.copy(), demands.copy()
        lies = reports(game, 200, 100 + seed)
        lie_values[:, 0], lie_demands[:, 0] = lies[0][:, 0], lies[1][:, 0]
        told = utilities(mechanism.allocate(lie_values, lie_demands), values, demands)
        assert (told[:, 0] <= honest[:, 0] + 1e-6).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_multiplying_all_values_changes_nothing(architecture):
    game = allocation(n=4, m=3)
    mechanism = wild(game, architecture=architecture)
    values, demands = reports(game)
    amounts = mechanism.allocate(values, demands)
    half = values.copy()
    half[:, 1] *= 0.5
    np.testing.assert_array_equal(mechanism.allocate(half, demands), amounts)
    some = values * np.random.default_rng(0).uniform(0.1, 5, (len(values), 4, 1))
    np.testing.assert_allclose(mechanism.allocate(some, demands), amounts, atol=1e-4)
    next_to_nothing = values * np.array([1.0, 2.0**-100, 1.0, 1.0])[:, None]
    np.testing.assert_array_equal(mechanism.allocate(next_to_nothing, demands), amounts)


def test_values_of_what_is_not_demanded_are_not_read():
    game = allocation(n=4, m=3)
    mechanism = wild(game)
    values, demands = reports(game)
    other = np.where(demands == 0, 0.77, values)
    np.testing.assert_array_equal(mechanism.allocate(other, demands), mechanism.allocate(values, demands))


def test_participants_and_resources_may_stand_in_any_order():
    game = allocation(n=5, m=3, weights=(1, 2, 3, 1, 0.5), supply=(1.0, 2.0, 3.0))
    mechanism = wild(game)
    values, demands = reports(game)
    amounts = mechanism.allocate(values, demands)
    rows, columns = np.array([3, 0, 4, 1, 2]), np.array([2, 0, 1])
    other = allocation(n=5, m=3, weights=tuple(game.weighting[rows]), supply=tuple(game.supplies[columns]))
    moved = LearnedExSNet(other)
    moved.network.load_state_dict(mechanism.network.state_dict())
    found = moved.allocate(values[:, rows][..., columns], demands[:, rows][..., columns])
    np.testing.assert_allclose(found, amounts[:, rows][..., columns], atol=1e-5)
    alike = values.copy()
    alike[:, 3], demands[:, 3] = alike[:, 0], demands[:, 0]  # weights 1 both
    found = mechanism.allocate(alike, demands)
    np.testing.assert_allclose(found[:, 3], found[:, 0], atol=1e-5)


def test_the_weights_say_who_gets_more():
    game = allocation(n=2, m=1, weights=(1, 3), supply=1)
    amounts = LearnedExSNet(game).allocate(np.ones((1, 2, 1)), np.ones((1, 2, 1)))
    assert amounts[0, 1, 0] == pytest.approx(3 * amounts[0, 0, 0], rel=1e-5)


def test_the_same_on_torch_and_differentiable():
    game = allocation(n=4, m=2)
    mechanism = wild(game, spread=0.3)
    values, demands = reports(game, 16)
    given = on_torch(values, demands)
    amounts = mechanism.allocate(*given)
    assert amounts.dtype == torch.float64
    np.testing.assert_array_equal(amounts.detach(), mechanism.allocate(values, demands))
    slopes = torch.autograd.grad(amounts.square().sum(), [*given, *mechanism.network.parameters()])
    assert all(torch.isfinite(slope).all() for slope in slopes)
    assert all((slope != 0).any() for slope in slopes[:2])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_of_the_network_in_training_against_differences(architecture):
    game = allocation(n=3, m=2, supply=0.4)  # scarce: where nearly all have enough, gradients are a little off
    network = wild(game, spread=0.3, architecture=architecture).network.double().train()
    given = on_torch(*reports(game, 16))
    given[1].data += 0.1  # what is not demanded at all is left out, which is no small change
    weigh = torch.tensor(np.random.default_rng(0).normal(size=given[0].shape))
    slopes = torch.autograd.grad((weigh * network(*given)).sum(), given)
    rng = np.random.default_rng(1)
    for which, slope in enumerate(slopes):
        way = torch.tensor(rng.normal(size=slope.shape))
        step = 1e-6
        ends = []
        for sign in (1, -1):
            moved = [x + sign * step * way if k == which else x for k, x in enumerate(given)]
            ends.append(float((weigh * network(*moved)).sum().detach()))
        assert float((slope * way).sum()) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-3)


def test_training_on_nash_welfare_alone_leads_towards_proportional_fairness():
    game = allocation(n=3, m=2, supply=0.8)
    torch.manual_seed(0)
    network = LearnedExSNet(game, hidden=(16, 16)).network.double().train()
    values, demands = (torch.tensor(x) for x in game.split(game.initial_state(128, np.random.default_rng(0)).types))

    def welfare(amounts):
        return mean_log_utility(utilities(amounts, values, demands), network.weights).mean()

    best = float(welfare(solve(values, demands, network.supply, network.weights)))
    before = float(welfare(water_filling(demands, game.supplies, game.weighting)))
    optimizer = torch.optim.Adam(network.parameters(), 2e-2)
    for _ in range(60):
        optimizer.zero_grad()
        (-welfare(network(values, demands))).backward()
        optimizer.step()
    with torch.no_grad():
        after = float(welfare(network.eval()(values, demands)))
    assert before + 0.7 * (best - before) < after < best


def test_kept_and_loaded_for_any_number_of_participants_and_resources(tmp_path):
    game = allocation(n=4, m=2)
    mechanism = wild(game, hidden=(8, 6), rounds=3)
    save_policy(tmp_path / "kept", mechanism)
    kept = json.loads((tmp_path / "kept" / "policy.json").read_text())
    assert kept["settings"] == {"architecture": "equivariant", "hidden": [8, 6], "rounds": 3}
    loaded = load_policy(tmp_path / "kept", game, "mechanism")
    values, demands = reports(game)
    np.testing.assert_array_equal(loaded.allocate(values, demands), mechanism.allocate(values, demands))
    larger = allocation(n=7, m=5)
    amounts = load_policy(tmp_path / "kept", larger).allocate(*reports(larger))
    assert (amounts.sum(1) <= larger.supplies * (1 + 1e-6)).all()


def test_the_same_seed_builds_the_same_network():
    game = allocation(n=3, m=2)
    one, same, other = (wild(game, seed).network.state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_wrong_settings_and_games_are_named():
    game = allocation(n=3, m=2)
    with pytest.raises(ParameterError, match=r"'equivarient': did you mean 'equivariant'\? allowed: .*plain"):
        LearnedExSNet(game, architecture="equivarient")
    with pytest.raises(ParameterError, match=r"hidden is \[\], allowed: a list of widths"):
        LearnedExSNet(game, hidden=[])
    with pytest.raises(ParameterError, match=r"hidden\[1\] is 0, allowed: an integer >= 1"):
        LearnedExSNet(game, hidden=[4, 0])
    with pytest.raises(ParameterError, match="rounds is 0, allowed: an integer >= 1"):
        LearnedExSNet(game, rounds=0)
    with pytest.raises(UnsupportedGameError, match=r"exs_net.*divisible resources"):
        LearnedExSNet(make_game("public_investment"))
    with pytest.raises(UnsupportedGameError, match=r"exs_net.*allocate"):
        LearnedExSNet(allocation(mechanism_mode="announce"))


# -- what is seen -----------------------------------------------------------------------------------------------


def test_features_by_hand():
    values, demands = torch.tensor([[[0.2, 0.6], [0.5, 0.9]]]), torch.tensor([[[1.0, 0.5], [0.25, 0.0]]])
    supply, weights = torch.tensor([1.0, 0.5]), torch.tensor([1.0, 3.0])
    relative = relative_values(values, demands)
    torch.testing.assert_close(relative, torch.tensor([[[0.25, 0.75], [1.0, 0.0]]]))
    seen = features(relative, demands, supply, weights)
    # participant 0: worths 0.25 and 0.375; demands of 2 equal shares of either
    np.testing.assert_allclose(seen[0, 0, 0], [-0.5, 1 / 3, -0.2, np.log(1.25), np.log(0.5)], rtol=1e-5)
    np.testing.assert_allclose(seen[0, 0, 1], [0.5, 1 / 3, 0.2, 0.0, np.log(0.5)], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(seen[0, 1, 1], [-1.0, -1.0, -1.0, 0.0, np.log(1.5)], rtol=1e-5, atol=1e-7)


def test_a_scorer_sees_others_only_through_means():
    torch.manual_seed(0)
    scorer = EquivariantScorer([8, 8], pooled=2)
    with torch.no_grad():
        for parameter in scorer.parameters():
            parameter.normal_(std=0.3)
    cells = torch.randn(3, 2, 4, 5)
    scores, pooled = scorer(cells)
    twice, of_twice = scorer(torch.cat([cells, cells], 1))  # everybody twice: all means are the same
    torch.testing.assert_close(twice[:, :2], scores)
    torch.testing.assert_close(of_twice, pooled)
