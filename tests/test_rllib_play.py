"""The batched runner plays by the rules: the same as the PettingZoo view and as RLlib's own runner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.trainers.rllib.algorithm import algorithm_config, start_of
from lawgiver.trainers.rllib.chunks import Chunk
from lawgiver.trainers.rllib.mapping import RoleMapping, assign
from lawgiver.trainers.rllib.play import Record, RolloutSetup, State, make_rollout_setup, play
from lawgiver.trainers.rllib.settings import Mechanism, RLlibAgents, RLlibConfig, RLlibTrainer
from lawgiver.trainers.rllib.train import _of_play
from lawgiver.trainers.settings.base import GameConfig, Resources

ANNOUNCE = {"name": "public_investment", "endowments": [10, 4, 4, 4], "mechanism_mode": "announce"}


def config(game: dict[str, Any], runner: str = "batched", steps: int = 400, **resources: Any) -> RLlibConfig:
    return RLlibConfig(
        game=GameConfig.model_validate(game),
        agents=RLlibAgents(mechanism=Mechanism(hidden=(8,))),
        trainer=RLlibTrainer(name="rllib", steps_per_iteration=steps),
        resources=Resources.model_validate({"runner": runner, "device": "cpu", **resources}),
    )


def runner_of(given: RLlibConfig) -> Any:
    from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner

    made = algorithm_config(given)
    return (made.env_runner_cls or MultiAgentEnvRunner)(config=made)


class Scripted:
    """Draws actions and remembers them, in the order in which it is asked."""

    def __init__(self, table: RolloutSetup) -> None:
        self.table, self.rng, self.taken = table, np.random.default_rng(3), []

    def __call__(self, module: str, obs: np.ndarray, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray, State]:
        space = self.table.game.action_space(module)
        if hasattr(space, "n"):
            actions = self.rng.integers(space.n, size=len(obs))
        else:
            actions = self.rng.normal(space.low, 1.0, size=(len(obs), *space.shape)).astype(np.float32)
        self.taken.append((module, actions))
        return actions, np.zeros(len(obs), np.float32), np.zeros((len(obs), 2), np.float32), None


def played(game: dict[str, Any], games: int) -> tuple[RolloutSetup, Scripted, Record]:
    params = {key: value for key, value in game.items() if key != "name"}
    table = make_rollout_setup({"game": game["name"], "params": params})
    script = Scripted(table)
    everybody = assign(RoleMapping(), table.game, [str(i) for i in range(games)])
    return table, script, play(table, games, np.random.default_rng(5), script, everybody)


@pytest.mark.parametrize("mode", ["announce", "allocate"])
@pytest.mark.parametrize("every", ["round", "game"])
def test_rewards_are_those_of_the_pettingzoo_view(mode: str, every: str) -> None:
    game = {**ANNOUNCE, "mechanism_mode": mode, "announce_every": every, "n_rounds": 3}
    table, script, record = played(game, games=1)
    env = GameParallelEnv(table.game, flag_turns=False)
    env.reset(seed=0)
    earned = {agent: [] for agent in env.possible_agents}
    for role, actions in script.taken:
        space = table.game.action_space(role)
        clipped = actions if hasattr(space, "n") else np.clip(actions, space.low, space.high)
        for agent in table.game.agents_of(role):
            earned[agent].append(0.0)
        _, rewards, *_ = env.step(dict(zip(table.game.agents_of(role), clipped, strict=True)))
        for agent, reward in rewards.items():
            if earned[agent]:
                earned[agent][-1] += reward
    assert not env.agents
    for role, trajectories in record.trajectories.items():
        expected = [earned[agent] for agent in table.game.agents_of(role)]
        np.testing.assert_allclose(trajectories.rewards, expected, rtol=1e-6)
        assert trajectories.terminated.all()
        assert trajectories.mask.all()


def test_games_of_unequal_length_are_masked_and_cut_off_games_keep_their_last_sight() -> None:
    table, _, record = played({"name": "taxed_dilemma", "continuation": 0.8, "max_rounds": 6}, games=200)
    rounds = record.steps // 2
    assert rounds.min() == 1
    assert rounds.max() == 6
    for role, count in table.game.roles.items():
        trajectories = record.trajectories[role]
        np.testing.assert_array_equal(trajectories.lengths, np.repeat(rounds, count))
        counted = (trajectories.rewards * trajectories.mask).sum(axis=1)
        np.testing.assert_allclose(counted, record.returns[role].ravel(), atol=1e-5)
        np.testing.assert_array_equal(trajectories.rewards[~trajectories.mask], 0)
        cut = ~trajectories.terminated
        assert 0 < cut.sum() < len(cut)
        assert (trajectories.lengths[cut] == 6).all()
        assert trajectories.last_obs[cut].any(axis=1).mean() > 0.5
        assert not trajectories.last_obs[~cut].any()


def test_what_a_module_sees_ends_with_the_prior() -> None:
    anchor = {"mechanism": "strict_egalitarian", "inverse_temperature": 1.0}
    params = {key: value for key, value in ANNOUNCE.items() if key != "name"}
    table = make_rollout_setup({"game": "public_investment", "params": params, "anchors": {"participant": anchor}})
    game = make_game("public_investment", **params)
    state = game.initial_state(2, np.random.default_rng(0))
    prior = table.see(state, "participant")[..., -11:]
    obs, mask = game.observe(state, "participant"), game.legal_actions(state, "participant")
    expected, _ = make_policy(game, "participant", "logit_equilibrium", **anchor).distribution(obs, mask, None)
    floored = np.where(mask, np.maximum(np.exp(expected), 1e-4), 0)
    np.testing.assert_allclose(np.exp(prior), floored / floored.sum(-1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(prior[~mask], np.float32(ILLEGAL))


def test_chunks_are_equal_and_as_many_as_learners() -> None:
    runner = runner_of(config(ANNOUNCE, steps=1000, num_learners=2))
    chunks = runner.sample()
    assert [len(chunk) for chunk in chunks] == [1000, 1000]  # 25 games each, 10 turns of 4 participants
    assert sum(chunk.env_steps() for chunk in chunks) == 1000
    assert all(isinstance(chunk, Chunk) for chunk in chunks)
    assert list(chunks[0].modules) == ["mechanism", "participant"]
    assert chunks[0].agent_steps() == 1250


def test_both_runners_earn_the_same_with_the_same_weights() -> None:
    torch.manual_seed(1)
    batched, stock = runner_of(config(ANNOUNCE)), runner_of(config(ANNOUNCE, "stock"))
    with torch.no_grad():  # residuals start at zero: make them count
        for parameter in batched.module["participant"].parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    stock.module.set_state(batched.module.get_state())

    def of_batched(games: int, explore: bool) -> np.ndarray:
        (chunk,) = batched.sample(num_episodes=games, explore=explore)
        totals: np.ndarray = sum((t.rewards * t.mask).sum(1).reshape(games, -1).sum(1) for t in chunk.modules.values())  # type: ignore[assignment]
        return totals

    def of_stock(games: int, explore: bool) -> np.ndarray:
        return np.array([e.get_return() for e in stock.sample(num_episodes=games, explore=explore)])

    np.testing.assert_allclose(of_batched(2, False), of_stock(2, False)[:1].repeat(2), rtol=1e-5)
    ours, theirs = of_batched(2000, True), of_stock(100, True)
    error = np.hypot(ours.std() / len(ours) ** 0.5, theirs.std() / len(theirs) ** 0.5)
    assert abs(ours.mean() - theirs.mean()) < 4 * error


@pytest.mark.parametrize("mode", ["announce", "allocate"])
def test_scores_of_rllibs_own_runner_are_a_round_whoever_moves_first(mode: str) -> None:
    runner = runner_of(config({**ANNOUNCE, "mechanism_mode": mode, "n_rounds": 5}, "stock", steps=200))
    runner.sample()
    sampled = {
        name: {agent: value.peek() for agent, value in by.items()} if isinstance(by, dict) else by.peek()
        for name, by in runner.get_metrics().items()
        if name in ("num_agent_steps_sampled", "num_episodes", "agent_episode_returns_mean")
    }
    whole = sampled["agent_episode_returns_mean"]["mechanism"]
    game = {key: value for key, value in ANNOUNCE.items() if key != "name"}
    table = RolloutSetup(make_game("public_investment", **{**game, "mechanism_mode": mode, "n_rounds": 5}))
    assert _of_play(table, sampled, stock=True)["score"] == pytest.approx(whole / 5)


def test_snapshots_stand_in_for_their_role_in_a_share_of_the_games() -> None:
    game = make_game("public_investment", endowments=(10, 4, 4, 4))
    mapping = RoleMapping({"mechanism": ("mechanism.0", "mechanism.1")}, share=0.4)
    modules = assign(mapping, game, [f"game-{i}" for i in range(4000)])
    names, counts = np.unique(modules["mechanism"].astype(str), return_counts=True)
    assert names.tolist() == ["mechanism", "mechanism.0", "mechanism.1"]
    np.testing.assert_allclose(counts / 4000, [0.6, 0.2, 0.2], atol=0.03)
    assert set(modules["participant"].ravel()) == {"participant"}
    again = assign(mapping, game, ["game-7"])["mechanism"][0, 0]
    assert again == modules["mechanism"][7, 0]


def test_each_module_plays_its_own_rows() -> None:
    table = make_rollout_setup({"game": "public_investment", "params": {"endowments": [10, 4, 4, 4]}})
    modules = assign(RoleMapping(), table.game, ["a", "b", "c"])
    modules["mechanism"] = np.array([["mechanism"], ["mechanism.0"], ["mechanism"]], dtype=object)
    asked: dict[str, int] = {}

    def act(module: str, obs: np.ndarray, state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray, State]:
        asked[module] = asked.get(module, 0) + len(obs)
        logits = np.full((len(obs), 4), 5.0 if module == "mechanism.0" else 0.0, np.float32)
        logits[:, 0] = 0.0
        actions = logits if module.startswith("mechanism") else np.ones(len(obs), np.int64)
        return actions, np.zeros(len(obs), np.float32), np.zeros((len(obs), 1), np.float32), None

    record = play(table, 3, np.random.default_rng(0), act, modules)
    assert asked == {"participant": 120, "mechanism": 20, "mechanism.0": 10}
    heads = record.returns["participant"][:, 0]
    assert heads[0] == heads[2] > heads[1]


@pytest.mark.parametrize("given", ["mechanism", "participant"])
def test_a_role_that_is_given_a_policy_is_played_by_it_and_leaves_no_trajectories(given: str) -> None:
    policy = {"mechanism": "libertarian", "participant": "full_contributor"}[given]
    params = {"endowments": [10, 4, 4, 4], "n_rounds": 3, "mechanism_mode": "announce"}
    table = make_rollout_setup({"game": "public_investment", "params": params, "given": {given: {"policy": policy}}})
    other = next(iter(table.learned))
    everybody = assign(RoleMapping(), table.game, ["a", "b"])
    record = play(table, 2, np.random.default_rng(5), Scripted(table), {other: everybody[other]})
    assert set(record.trajectories) == {other}
    assert all((turns == 3).all() for turns in record.turns.values())
    if given == "mechanism":  # under the libertarian rule every point that is contributed returns 1.6
        actions = (
            record.trajectories["participant"].actions.reshape(2, 4, 3).clip(max=np.array([[[10], [4], [4], [4]]]))
        )
        np.testing.assert_allclose(
            record.returns["participant"], (np.array([[[10], [4], [4], [4]]]) + 0.6 * actions).sum(2)
        )
    else:
        np.testing.assert_allclose(record.returns["participant"].sum(1), 3 * 1.6 * 22)


@pytest.mark.parametrize(("runners", "learners", "steps"), [(0, 0, 2010), (3, 0, 2000), (0, 3, 2001), (2, 2, 400)])
def test_one_call_of_every_runner_is_an_iteration(runners: int, learners: int, steps: int) -> None:
    config = RLlibConfig(
        game=GameConfig(name="public_investment"),
        agents=RLlibAgents(),
        trainer=RLlibTrainer(name="rllib", steps_per_iteration=steps),
        resources=Resources(num_env_runners=runners, num_learners=learners),
    )
    built = algorithm_config(config)
    runner = built.env_runner_cls(config=built)
    games = runner.games_per_sample()
    sampled = games * runner.table.game.max_steps * max(1, runners)
    assert sampled >= built.total_train_batch_size >= steps
    assert sampled - steps < 20 * max(1, runners) * max(1, learners) + max(1, learners)
    assert games % max(1, learners) == 0


@pytest.mark.parametrize("start", [(float("nan"), 0.0), (-1.0, 0.0), (1.0, 5.0)])
def test_a_start_outside_the_box_is_named(start: tuple[float, ...]) -> None:
    game = make_game("public_investment", mechanism_mode="announce")
    with pytest.raises(ParameterError, match=r"agents\.mechanism\.start has [pq] = .* allowed: a number in \["):
        start_of(game.action_layout("mechanism"), game.members, start)
