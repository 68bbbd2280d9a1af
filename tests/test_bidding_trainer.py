"""Bidders that learn: their networks, the slopes that they climb, and whole trainings."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.trainers.bidding.evaluation import equilibrium_bids
from lawgiver.trainers.bidding.judge import judge
from lawgiver.trainers.bidding.seats import announced, payoffs

torch = pytest.importorskip("torch")

from lawgiver.agents.bidders import LearnedBidders  # noqa: E402
from lawgiver.agents.learned import load_policy, save_policy  # noqa: E402
from lawgiver.trainers.bidding.learner import Learner  # noqa: E402
from lawgiver.trainers.bidding.methods import evolution, smoothed, sorted_bids  # noqa: E402
from lawgiver.trainers.bidding.settings import BiddingTrainer  # noqa: E402
from lawgiver.trainers.evaluation.evaluate import evaluate  # noqa: E402
from lawgiver.trainers.runs import launch  # noqa: E402
from lawgiver.trainers.runs.config import load_config  # noqa: E402
from lawgiver.trainers.runs.loading import load  # noqa: E402
from lawgiver.trainers.runs.run import Run  # noqa: E402
from lawgiver.trainers.statistics.streams import torch_seeded  # noqa: E402

NOTHING = np.zeros(1)
SHORT = (
    "trainer.updates=4",
    "trainer.batch=64",
    "trainer.log_every=1",
    "trainer.checkpoint_every=2",
    "trainer.evaluation={draws: 256, probe: 64}",
)


def auction(**parameters):
    return make_game("sealed_bid", **parameters)


def bidders(game, groups=None, seed=0, **settings):
    with torch_seeded(seed):
        return LearnedBidders(game, groups=groups or [0] * game.n, **settings)


def games(game, batch, seed=0):
    state = announced(game, NOTHING, batch, torch.Generator().manual_seed(seed))
    return state, state.types[..., :1]


def learned(game, updates, groups=None, **settings):
    made = bidders(game, groups)
    trainer = BiddingTrainer.model_validate({"name": "bidding", "updates": updates, **settings})
    learner = Learner(game, NOTHING, made, trainer, 0, "cpu")
    learner.check()
    for number in range(1, updates + 1):
        learner.update(number)
    return made


def test_learning_begins_at_the_truth() -> None:
    game = auction(values=(2.0, 5.0))
    seen = np.linspace(2.5, 4.5, 50).reshape(25, 2, 1)
    bids, _ = bidders(game).act(seen, None, None, None)
    assert bids == pytest.approx(seen, abs=1e-6)
    market = make_game("double_auction", n_bids=None)
    state = announced(market, np.zeros(2), 20, np.random.default_rng(0))
    bids, _ = bidders(market, [0, 1]).act(market.observe(state, "participant"), None, None, None)
    assert bids[..., 0] == pytest.approx(state.types[..., 0], abs=0.02), "flags of the side are no values"


def test_a_seat_bids_by_the_network_of_its_group() -> None:
    game = auction(n=3)
    made = bidders(game, [0, 1, 0])
    with torch.no_grad():
        made.network[1].body[-1].bias.fill_(-0.25)
    bids, _ = made.act(np.full((4, 3, 2), 0.75), None, None, None)
    assert bids[..., 0] == pytest.approx(np.broadcast_to([0.75, 0.5, 0.75], (4, 3)), abs=1e-5)
    alone = made.act(np.full((1, 3, 2), 0.75), None, None, None)[0]
    assert np.array_equal(alone, bids[:1]), "policies of one game play as those of many"


def test_bids_stay_in_their_box_and_observations_as_they_are() -> None:
    game = auction()
    made = bidders(game)
    with torch.no_grad():
        made.network[0].body[-1].bias.fill_(3.0)
    seen = np.random.default_rng(0).random((50, 2, 2))
    before = seen.copy()
    bids, _ = made.act(seen, None, None, None)
    assert (bids == 1).all() and np.array_equal(seen, before)
    with torch.no_grad():
        made.network[0].body[-1].bias.fill_(-3.0)
    assert (made.act(seen, None, None, None)[0] >= 0).all()


def test_smoothed_slopes_are_those_of_payoffs_averaged_over_a_window() -> None:
    """A window that holds the rival's bid c: (u(b + h) - u(b - h)) / 2h = (v - b - h) / 2h in a first-price auction."""
    game = auction()
    state, _ = games(game, 3)
    state.types[:] = torch.tensor([[0.8, 0.5]])[..., None]
    bids = torch.tensor([[0.4, 0.45], [0.4, 0.2], [0.4, 0.6]])[..., None]
    slopes = smoothed.slopes(game, state, bids, 0, 0.1)[:, 0]
    assert slopes == pytest.approx(torch.tensor([0.3 / 0.2, -1.0, 0.0]), abs=1e-5)
    few = bids.clone()
    few[:, 0] = 0.05
    assert torch.isfinite(smoothed.slopes(game, state, few, 0, 0.1)).all(), "the window ends where the Box does"


@pytest.mark.parametrize("parameters", [{}, {"n": 3, "pricing": "next"}, {"pricing": "all_pay", "reserve": 0.0}])
def test_sorted_slopes_are_finite_differences_of_interim_payoffs(parameters: dict) -> None:
    """Each own value against all rivals of the batch, game by game, through the rule itself."""
    game = auction(**parameters)
    state, seen = games(game, 200)
    bids = 0.6 * seen
    slopes = sorted_bids.slopes(game, state, bids, 0, 0.05)[:, 0]
    for row in range(0, 200, 37):
        mine = [(x := bids[row, 0, 0].double()) - min(0.05, float(x)), x + 0.05]
        value = state.types.clone()
        value[:, 0] = state.types[row, 0]
        ends = []
        for own in mine:
            sent = bids.double()
            sent[:, 0, 0] = own
            same = type(state)(**{**vars(state), "types": value.double(), "parameters": state.parameters.double()})
            ends.append(payoffs(game, same, sent)[:, 0].mean())
        assert float(slopes[row]) == pytest.approx(float((ends[1] - ends[0]) / (mine[1] - mine[0])), abs=1e-5)


@pytest.mark.parametrize("parameters", [{"n": 3, "slots": (1.0, 0.5)}, {"n": 3, "information": "mineral_rights"}])
def test_sorted_refuses_what_has_no_interim_payoffs_in_one_line(parameters: dict) -> None:
    with pytest.raises(UnsupportedGameError, match="'sorted' is for independent private values") as said:
        learned(auction(**parameters), 1, method="sorted", batch=256)
    assert "\n" not in str(said.value)


def test_evolution_estimates_the_gradient_of_mean_payoffs() -> None:
    """Second price from half the truth: payoffs rise with bids; the bias of the last layer agrees with differences."""
    game = auction(pricing="next")
    made = bidders(game)
    state, seen = games(game, 4_000)
    bids = 0.5 * seen
    rng = torch.Generator().manual_seed(0)
    own = made.network[0]
    with torch.no_grad():
        own.body[-1].bias.fill_(-0.3)
    found = evolution.gradient(game, own, state, seen[:, 0], bids, 0, pairs=400, noise=0.01, rng=rng)
    values = []
    for shift in (-0.31, -0.29):
        with torch.no_grad():
            own.body[-1].bias.fill_(shift)
            sent = bids.clone()
            sent[:, 0] = own(seen[:, 0])
        values.append(float(payoffs(game, state, sent)[:, 0].mean()))
    assert float(found["body.4.bias"]) == pytest.approx((values[1] - values[0]) / 0.02, rel=0.25)


@pytest.mark.parametrize(
    ("method", "settings", "l2", "loss"),
    [
        ("smoothed", {"batch": 512}, 0.03, 0.015),
        ("sorted", {"batch": 256}, 0.03, 0.015),
        ("evolution", {"batch": 512, "population": {"pairs": 8}}, 0.06, 0.03),
    ],
)
def test_methods_reach_the_closed_form_of_a_first_price_auction(method, settings, l2, loss) -> None:
    game = auction()
    made = learned(game, 250, method=method, **settings)
    (found,) = judge(game, NOTHING, made, equilibrium=lambda _: lambda seen: seen[:, 0] / 2, draws=2**15).groups
    assert found.l2 < l2 and found.relative_loss[1] < loss, found


def test_bidders_learn_to_stay_out_where_taking_part_has_a_price() -> None:
    """A fee of 1/4 takes the value of 1/2 to be worth it: it wins with probability 1/2. The payoff is then 1/12."""
    game = auction(entry_fee=0.25)
    made = learned(game, 1_000, batch=512)
    (found,) = judge(game, NOTHING, made, equilibrium=equilibrium_bids(game, NOTHING), draws=2**15).groups
    assert found.payoff == pytest.approx(1 / 12, abs=2e-3)
    assert found.l2 < 0.01 and found.relative_loss[1] < 0.06, "those who are all but indifferent may still take part"
    seen = np.linspace([0.0, 0.0], [0.4, 0.0], 50)[:, None, :].repeat(2, 1)
    assert (made.act(seen, None, None, None)[0] == 0).all()


def test_who_stays_out_bids_the_least_and_keeps_the_slope_to_come_in_again() -> None:
    network = bidders(auction()).network[0]
    with torch.no_grad():
        network.body[-1].bias.fill_(-0.5)
    bids = network(torch.tensor([[0.35], [0.6]]))
    assert float(bids[0, 0]) == 0 and float(bids[1, 0]) == pytest.approx(np.logaddexp(0, 5) / 50, abs=1e-6)
    bids[0, 0].backward()
    assert network.body[-1].bias.grad > 0


def test_groups_learn_bids_of_their_own() -> None:
    """Krishna 4.3: values up to 1 against values up to 2; the weak bid more of their value."""
    game = auction(values=((0.0, 1.0), (0.0, 2.0)))
    made = learned(game, 300, [0, 1], batch=512)
    bids = [lambda seen, k=k: (1 - np.sqrt(1 - k * seen[:, 0] ** 2)) / (k * seen[:, 0]) for k in (0.75, -0.75)]
    found = judge(game, NOTHING, made, equilibrium=lambda seat: bids[seat], draws=2**15)
    assert [each.seats for each in found.groups] == [(0,), (1,)]
    assert all(each.l2_weighted < 0.05 and each.relative_loss[1] < 0.05 for each in found.groups), found


def test_bidders_are_saved_loaded_and_play(tmp_path: Path) -> None:
    game = auction(n=3)
    made = bidders(game, [0, 0, 1])
    with torch.no_grad():
        made.network[1].body[-1].bias.fill_(-0.1)
    save_policy(tmp_path / "bidders", made)
    again = load_policy(tmp_path / "bidders", game, "participant")
    seen = np.random.default_rng(0).random((5, 3, 2))
    assert np.array_equal(again.act(seen, None, None, None)[0], made.act(seen, None, None, None)[0])
    mechanism = make_policy(game, "mechanism", "no_mechanism")
    policies, rng = {"mechanism": mechanism, "participant": again}, np.random.default_rng(0)
    *_, last = rollout(game, policies, game.initial_state(4, rng), rng)
    assert last.after.payoffs.shape == (4, 3)


@pytest.mark.parametrize(
    ("game", "groups", "error", "said"),
    [
        ("public_investment", [0], UnsupportedGameError, "not public_investment"),
        ("lanes", [0], UnsupportedGameError, "lanes-v0"),
        (auction(n_bids=9), [0, 0], UnsupportedGameError, "need bids in a Box"),
        (auction(), [0], ParameterError, "the group of each of 2 seats"),
        (auction(), [1, 0], ParameterError, "numbered from 0"),
    ],
)
def test_bidders_of_other_games_are_refused(game, groups, error, said) -> None:
    with pytest.raises(error, match=said):
        LearnedBidders(make_game(game) if isinstance(game, str) else game, groups=groups)


def test_a_run_is_judged_saved_and_resumed_with_the_same_numbers(tmp_path: Path) -> None:
    whole, summary = launch.train("first_price_bidders", [*SHORT, f"run_dir={tmp_path / 'whole'}"])
    part, _ = launch.train(
        "first_price_bidders", [*SHORT, "trainer.updates=2", "trainer.anneal_over=4", f"run_dir={tmp_path / 'part'}"]
    )
    launch.resume(part, ["trainer.updates=4"])
    assert Run.open(part).summary["bidders"] == Run.open(whole).summary["bidders"]
    one, other = (load(path, role="participant").state() for path in (whole, part))
    assert all(np.array_equal(one[name], other[name]) for name in one)
    judged = summary["bidders"]["seat_0"]
    assert judged["seats"] == [0, 1] and judged["how"] == "best_bid"
    assert 0 <= judged["relative_loss"]["high"] < 1
    assert json.loads((whole / "metrics.jsonl").read_text().splitlines()[-1])["loss"] >= 0
    assert (whole / "figures" / "bids.png").exists()
    assert evaluate(whole)["bidders"].keys() == {"seat_0"}


def test_a_learned_bidder_plays_in_a_view(tmp_path: Path) -> None:
    import pettingzoo

    import lawgiver  # noqa: F401

    path, _ = launch.train("first_price_bidders", [*SHORT, "trainer.updates=1", f"run_dir={tmp_path / 'run'}"])
    env = pettingzoo.make("parallel", "lawgiver/sealed_bid-v0", participants=str(path))
    env.reset(seed=0)
    rewards = {}
    while env.agents:
        actions = {agent: np.zeros(1, np.float32) for agent in env.agents}
        _, rewards, *_ = env.step(actions)
    assert rewards["mechanism"] > 0, "bidders who begin at the truth pay something"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["game.n_bids=9"], "n_bids=null"),
        (["game={name: public_investment}"], "public_investment"),
        (["trainer.method=guess"], "trainer.method"),
        (["trainer.window={start: 0}"], "trainer.window.start"),
        (["agents.mechanism={given: {policy: random}}"], "the same in all games"),
        (["trainer.evaluation={draws: 5}"], "trainer.evaluation.draws"),
    ],
)
def test_bad_configs_are_refused(changes: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(LawgiverError, match=said):
        launch.train("first_price_bidders", [*SHORT, *changes, f"run_dir={tmp_path / 'run'}"])


def test_the_config_spells_out_what_it_does() -> None:
    config = load_config("first_price_bidders")
    assert config.trainer.method == "smoothed" and config.trainer.anneal_over == config.trainer.updates == 2_000
