"""A follower that is learned: its walks, what they cost, and how it learns, beside exact walks in small worlds."""

import json

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.families.torus import distance
from lawgiver.envs.goal_collection import GoalCollection

torch = pytest.importorskip("torch")

from lawgiver.agents.follower import GoalWalker, LargestWorth, LearnedFollower, NearestGoal  # noqa: E402
from lawgiver.agents.learned import load_policy, save_policy  # noqa: E402
from lawgiver.trainers.evaluation.evaluate import evaluate as evaluate_run  # noqa: E402
from lawgiver.trainers.learned_follower.evaluation import evaluate  # noqa: E402
from lawgiver.trainers.learned_follower.learning import Learner, backup, begin  # noqa: E402
from lawgiver.trainers.learned_follower.settings import Evaluation, FollowerTrainer  # noqa: E402
from lawgiver.trainers.learned_follower.walks import response, settle, walk  # noqa: E402
from lawgiver.trainers.runs import launch  # noqa: E402

SMALL = (
    "game={name: goal_collection, n: 3, size: 3, horizon: 66}",
    "agents.mechanism={width: 8, layers: 1, heads: 2}",
    "trainer={name: learned_follower, updates: 6, groups: 2, batch: 4, log_every: 1, checkpoint_every: 2,"
    " evaluation: {profiles: 50, exact: 50, audited: 0}}",
)


class Foresight(GoalWalker):
    """Knows what arriving at a goal is worth, from an exact solver."""

    who = "foresight"

    def arrival(self, near, worth, open_):
        found = np.zeros_like(worth)
        for row in range(len(worth)):
            found[row] = [exact(near[row], worth[row], open_[row], j) for j in range(self.game.n)]
        return found


def exact(near, worth, open_, j):
    """Return the worth of arriving at j, by trying every order."""
    if not open_[j]:
        return 0.0
    left = open_ & (np.arange(len(open_)) != j)
    return worth[j] + max((near[j, k] * exact(near, worth, left, k) for k in np.flatnonzero(left)), default=0.0)


def profiles(game, batch, seed=0):
    return game.types_of(np.random.default_rng(seed).random((batch, game.n, 2)))


def follower(game, seed=0, **settings):
    torch.manual_seed(seed)
    return LearnedFollower(game, **settings)


def test_with_true_foresight_the_walk_through_the_rules_is_the_best_one():
    game = GoalCollection(n=4, size=6, weights=[1, 2, 1, 0.3])
    types = profiles(game, 40)
    best = game.best_walks(types)
    end = walk(game, Foresight(game), types, types)
    assert (end.collected * game.worth(types)).sum(-1) == pytest.approx(best.affine_welfare[:, 0], abs=1e-3)
    found = settle(game, Foresight(game), types, types)
    assert found.affine_welfare == pytest.approx(best.affine_welfare, abs=1e-3)


def test_rules_of_thumb_go_where_they_say():
    game = GoalCollection(n=2, size=8, horizon=20)
    types = np.array([[[1, 0.1], [7, 1.0]], [[1, 0.5], [6, 1.0]]])
    near, far = (walk(game, rule(game), types, types).collected for rule in (NearestGoal, LargestWorth))
    assert near == pytest.approx(np.array([[1, 0.9**2], [1, 0.9**3]])), "ties are for the first"
    assert far == pytest.approx(np.array([[0.9**2, 1], [0.9**4, 0.9]]))


def test_a_walk_enters_what_lies_on_its_way_and_does_not_see_what_is_worth_nothing():
    game = GoalCollection(n=3, size=8, horizon=20)
    types = np.array([[[3, 1.0], [2, 0.01], [9, 0.0]]])
    assert walk(game, LargestWorth(game), types, types).collected[0, :2] == pytest.approx([0.9**2, 0.9])
    moved_away = types.copy()
    moved_away[0, 2, 0] = 40
    net = follower(game)
    one, other = (walk(game, net, each, each).collected[0, :2] for each in (types, moved_away))
    assert np.array_equal(one, other)


def test_the_network_is_blind_to_order_and_to_closed_goals_and_scales_with_worths():
    game = GoalCollection(n=6)
    net = follower(game).network
    rng = torch.Generator().manual_seed(0)
    walks = begin(game, 5, rng)
    while walks.open < 6:
        walks = begin(game, 5, rng)
    every = torch.ones_like(walks.worth, dtype=torch.bool)
    value = net(walks.near, walks.worth, every)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.allclose(
        net(walks.near[:, order][:, :, order], walks.worth[:, order], every), value[:, order], atol=1e-5
    )
    assert torch.allclose(net(walks.near, 3 * walks.worth, every), 3 * value, atol=1e-5)
    some = every.clone()
    some[:, 4:] = False
    few = net(walks.near[:, :4, :4], walks.worth[:, :4], every[:, :4])
    assert torch.allclose(net(walks.near, walks.worth, some)[:, :4], few, atol=1e-5)
    assert (net(walks.near, walks.worth, some)[:, 4:] == 0).all()
    far = walks.near * (1 - torch.eye(6))
    assert (value >= walks.worth + (far * walks.worth[:, None]).amax(-1) - 1e-5).all()
    assert (value <= walks.worth + (far * walks.worth[:, None]).sum(-1) + 1e-5).all()


def test_bellmans_equation_holds_for_the_true_worths():
    game = GoalCollection(n=4, size=6)
    walks = begin(game, 8, torch.Generator().manual_seed(3))
    worths = []

    def true(near, worth, open_):
        rows = zip(near.numpy(), worth.numpy(), open_.numpy(), strict=True)
        worths.append([[exact(*row, j) for j in range(worth.shape[1])] for row in rows])
        return torch.tensor(worths[-1])

    value = true(walks.near, walks.worth, torch.ones_like(walks.worth, dtype=torch.bool))
    assert torch.allclose(backup(true, walks), value.float(), atol=1e-5)


def test_walks_without_one_participant_do_not_depend_on_its_report():
    game = GoalCollection(n=4, size=6, weights=[1, 2, 1, 0.5])
    net, types = follower(game), profiles(game, 60)
    lies = types.copy()
    lies[:, 2] = profiles(game, 60, seed=1)[:, 2]
    truth, lied = settle(game, net, types, types), settle(game, net, types, lies)
    assert truth.affine_welfare[:, 3] == pytest.approx(lied.affine_welfare[:, 3], abs=1e-12)
    limit = (game.best_walks(types).affine_welfare[:, 0] - truth.affine_welfare[:, 0]) / game.weight_vector[2]
    gain = ((lied.utilities - lied.payments) - (truth.utilities - truth.payments))[:, 2]
    assert (gain <= limit + 1e-9).all(), "no misreport brings more than what the walk falls short of the best"
    assert (truth.utilities - truth.payments).min() >= -1e-12, (
        "nobody is worse off by taking part and telling the truth"
    )


def test_outcomes_are_those_of_the_rules_and_of_true_types():
    game = GoalCollection(n=3, size=5, weights=[1, 2, 1])
    net, types, reports = follower(game), profiles(game, 30), profiles(game, 30, seed=1)
    found = settle(game, net, types, reports)
    utilities, payments = response(game, net)(types, reports)
    assert np.array_equal(utilities, found.utilities) and np.array_equal(payments, found.payments)
    end = walk(game, net, types, reports)
    own = (found.greedy == found.affine_welfare[:, 0]).nonzero()[0]
    assert len(own) > 20
    assert found.utilities[own] == pytest.approx((end.enjoyed * types[..., 1])[own])
    assert found.greedy == pytest.approx((end.collected * game.worth(reports)).sum(-1))


def test_learning_brings_the_follower_near_the_truth_and_the_best_walk():
    game = GoalCollection(n=4, size=4, horizon=12)
    net, types = follower(game, width=8, layers=1, heads=2), profiles(game, 200, seed=5)
    goals = types[..., 0]
    near = game.discount ** distance(goals[:, :, None], goals[:, None], game.size)
    every = np.ones((200, 4), bool)
    truth = Foresight(game).arrival(near, types[..., 1], every)

    def off():
        return np.sqrt(np.mean((net.arrival(near, types[..., 1], every) / truth - 1) ** 2))

    before = off()
    settings = FollowerTrainer(name="learned_follower", batch=32, groups=1, updates=150, learning_rate=1e-2)
    learner = Learner(game, net, settings, torch.Generator().manual_seed(0))
    for update in range(1, 151):
        learner.update(update)
    assert off() < before / 4
    welfare = (walk(game, net, types, types).collected * game.worth(types)).sum(-1)
    assert (welfare / game.best_walks(types).affine_welfare[:, 0]).mean() > 0.995


def test_a_follower_is_saved_and_loaded_and_plays_pettingzoo(tmp_path):
    game = GoalCollection(n=3, size=5, horizon=15)
    net, types = follower(game, width=8, layers=1, heads=2), profiles(game, 20)
    save_policy(tmp_path / "mechanism", net)
    again = load_policy(tmp_path / "mechanism", game, "mechanism")
    assert np.array_equal(walk(game, net, types, types).collected, walk(game, again, types, types).collected)
    with pytest.raises(UnsupportedGameError, match="plays goal_collection"):
        load_policy(tmp_path / "mechanism", make_game("taxed_dilemma"), "mechanism")
    import pettingzoo

    env = pettingzoo.make("parallel", "lawgiver/goal_collection-v0", n=3, size=5, horizon=15, mechanism=again)
    env.reset(seed=0)
    while env.agents:
        _, rewards, *_ = env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    assert set(rewards) == {"participant_0", "participant_1", "participant_2"}


def test_walks_on_torch_are_those_on_numpy():
    game = GoalCollection(n=4, size=6, horizon=20)
    net, types = follower(game), profiles(game, 20)
    state = game.initial_state_from(torch.tensor(types), torch.zeros(20, dtype=torch.float64))
    rng = torch.Generator().manual_seed(0)
    state, *_ = game.step(state, torch.tensor(types), {})
    memory = net.initial_state(20, rng)
    for _ in range(game.horizon):
        action, memory = net.act(game.observe(state, "mechanism"), None, memory, rng)
        state, *_ = game.step(state, action, {})
    assert state.collected.numpy() == pytest.approx(walk(game, net, types, types).collected)


def test_training_goes_on_as_if_it_had_not_been_stopped(tmp_path, undrawn, interrupted_and_whole):
    whole, logged = interrupted_and_whole("learned_follower", SMALL, before=(Learner, "update", 6))
    assert logged == [1, 2, 3, 4, 5, 6]
    again = evaluate_run(tmp_path / "parts")
    assert again["follower_ratio"]["mean"] == pytest.approx(whole["follower_ratio"]["mean"], abs=0.02)
    assert again["revenue"] != whole["revenue"], "on other profiles"
    kept = json.loads((tmp_path / "parts" / "summary.json").read_text())
    assert kept["follower_ratio"]["mean"] <= kept["settled_ratio"]["mean"] <= 1 + 1e-9
    assert kept["timing"]["training_s"] > 0 and kept["regret"] is None
    assert kept["timing"]["exact_s"] > 0 and kept["timing"]["audit_s"] is None


def test_the_audit_finds_what_the_walks_leave_to_be_gained_and_no_more_than_they_do():
    game = GoalCollection(n=3, size=5, horizon=10)
    settings = Evaluation(profiles=8, exact=8, audited=8, effort=1)
    told = evaluate(game, NearestGoal(game), settings, [0])
    assert told["follower_ratio"]["mean"] < 0.97
    assert 0.01 < told["regret"]["joint"]["max"] <= told["regret_limit"]["max"] + 1e-9
    assert told["individual_rationality"]["share"] == 0
    assert told["revenue"].mean == pytest.approx(told["budget"]["mean"].mean)
    assert all(seconds > 0 for seconds in told["timing"].values())


def test_a_run_has_its_figures(tmp_path):
    folder, _ = launch.train("learned_follower", [*SMALL, f"run_dir={tmp_path / 'run'}"])
    assert {path.name for path in (folder / "figures").iterdir()} == {"curves.png", "ratios.png"}
    unsolved = "trainer.evaluation={profiles: 2, exact: 0, audited: 0}"
    folder, _ = launch.train("learned_follower", [*SMALL, unsolved, f"run_dir={tmp_path / 'unsolved'}"])
    assert {path.name for path in (folder / "figures").iterdir()} == {"curves.png"}


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="torch sees no GPU"):
        launch.train("learned_follower", [*SMALL, "resources.device=cuda", f"run_dir={tmp_path / 'run'}"])


@pytest.mark.parametrize(
    ("overrides", "error", "message"),
    [
        (["game={name: taxed_dilemma}"], UnsupportedGameError, "2 participants or more, not taxed_dilemma-v0$"),
        (["game.n=1"], UnsupportedGameError, "2 participants or more, not goal_collection-v0 with one$"),
        (["game.n=23"], ParameterError, "exact is 50 with 23"),
        (["trainer.evaluation.exact=51"], ParameterError, "no more than profiles"),
        (["trainer.evaluation.audited=1"], ParameterError, "audited is 1"),
        (["agents.mechanism.heads=3"], ParameterError, "multiple of 3 heads"),
        (["game.horizon=65"], ParameterError, "horizon is 65 with game.discount 0.9: .* here a horizon of 66 or more"),
        (["trainer.exploration=2"], LawgiverError, "exploration"),
    ],
)
def test_what_cannot_be_trained_is_named_before_it_is(tmp_path, overrides, error, message):
    with pytest.raises(error, match=message):
        launch.train("learned_follower", [*SMALL, *overrides, f"run_dir={tmp_path / 'run'}"])
