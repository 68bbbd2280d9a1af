"""Networks with a memory: step by step as unrolled, on NumPy as on torch, carried by whoever plays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch

from lawgiver.agents.graph_network import GraphNetwork, LearnedGraphMechanism
from lawgiver.agents.learned import PolicyFileError, load_policy, save_policy
from lawgiver.agents.memory import Recurrence
from lawgiver.agents.network_policies import LearnedBoxParticipants, LearnedMechanism, LearnedParticipants
from lawgiver.agents.tables import tabulate
from lawgiver.envs.core.errors import NoSolution, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.views.parallel import GameParallelEnv

SHARED = {"endowments": (10, 4, 4, 4)}
MAKERS: dict[str, Callable[[int], tuple[Any, Any]]] = {
    "participants": lambda units: _of("public_investment", LearnedParticipants, hidden=(8,), memory=units, **SHARED),
    "box_participants": lambda units: _of("lanes", LearnedBoxParticipants, hidden=(8,), memory=units, n_moves=None),
    "mechanism": lambda units: _of(
        "public_investment", LearnedMechanism, start=(1.0,) * 4, hidden=(8,), memory=units, **SHARED
    ),
    "graph_mechanism": lambda units: _of("public_investment", LearnedGraphMechanism, n_units=6, memory=units, **SHARED),
}


def _of(name: str, kind: Any, **params: Any) -> tuple[Any, Any]:
    """Make a game and a policy whose network does something from the start."""
    sizes = {key: params.pop(key) for key in ("hidden", "memory", "start", "n_units") if key in params}
    game = make_game(name, **params)
    torch.manual_seed(0)
    policy = kind(game, **sizes)
    for parameter in policy.network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return game, policy


def observations(game: Any, role: str, steps: int, games: int) -> np.ndarray:
    """Draw what is seen in some games, (steps, B, n_role, d), within the bounds."""
    space, rng = game.observation_space(role), np.random.default_rng(1)
    high = np.where(np.isfinite(space.high), space.high, 1.0)
    low = np.where(np.isfinite(space.low), np.maximum(space.low, 0.5), 0.5)  # no participant without an endowment
    return rng.uniform(low, np.maximum(high, low), (steps, games, game.roles[role], *space.shape))


def through(policy: Any, seen: Any, rng: Any) -> tuple[list[Any], Any]:
    """Return the distributions at each step, and the last state."""
    state, found = policy.initial_state(seen.shape[1], rng), []
    for obs in seen:
        parameters, state = policy.distribution(obs, None, state)
        found.append(parameters)
    return found, state


def test_a_recurrence_steps_as_it_unrolls_whatever_the_games_lengths() -> None:
    torch.manual_seed(0)
    memory, inputs = Recurrence(3, 5), torch.randn(4, 6, 2, 3)
    states, state = [], None
    for turn in range(6):
        state = memory.step(inputs[:, turn], state)
        states.append(state)
    unrolled = memory.unroll(inputs)
    torch.testing.assert_close(unrolled, torch.stack(states, dim=1))
    assert unrolled.shape == (4, 6, 2, 5)

    lengths = torch.tensor([6, 1, 4, 3])
    inside = torch.arange(6) < lengths[:, None]
    turn = torch.arange(6).expand(4, 6)[inside]
    rows = memory.along(inputs[inside], turn)
    torch.testing.assert_close(rows, unrolled[inside])
    ours, theirs = (
        torch.autograd.grad(found.square().sum(), list(memory.parameters())) for found in (rows, unrolled[inside])
    )
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_policy_remembers_on_numpy_as_on_torch_and_survives_saving(kind: str, tmp_path: Path) -> None:
    game, policy = MAKERS[kind](3)
    assert policy.kind == kind
    seen = observations(game, policy.role, steps=5, games=7)
    found, state = through(policy, seen, np.random.default_rng(0))
    on_torch, kept = through(policy, torch.as_tensor(seen), torch.Generator())
    for ours, theirs in zip(found, on_torch, strict=True):
        np.testing.assert_allclose(ours, theirs.detach(), atol=1e-5)
    np.testing.assert_allclose(state, kept.detach(), atol=1e-6)

    first = policy.initial_state(7, np.random.default_rng(0))
    assert not first.any()
    assert np.abs(policy.distribution(seen[-1], None, first)[0] - found[-1]).max() > 1e-3, "the past does not matter"
    some, _ = through(policy, seen[:, 2:4], np.random.default_rng(0))
    np.testing.assert_allclose(some[-1], found[-1][2:4], atol=1e-6)  # games do not see each other

    save_policy(tmp_path / "policy", policy)
    again = load_policy(tmp_path / "policy", game)
    assert again.settings["memory"] == 3
    np.testing.assert_array_equal(through(again, seen, np.random.default_rng(0))[0], found)
    save_policy(tmp_path / "none", MAKERS[kind](0)[1])
    (tmp_path / "none" / "policy.json").write_text((tmp_path / "policy" / "policy.json").read_text())
    with pytest.raises(PolicyFileError, match="does not fit"):
        load_policy(tmp_path / "none", game)


@pytest.mark.parametrize("kind", MAKERS)
def test_without_units_there_is_no_memory_and_nothing_to_save(kind: str) -> None:
    game, policy = MAKERS[kind](0)
    assert policy.initial_state(4, np.random.default_rng(0)) is None
    assert not [name for name in policy.state() if "memory" in name]
    assert "memory" not in policy.settings
    seen = observations(game, policy.role, steps=2, games=3)
    assert policy.distribution(seen[0], None, None)[1] is None


@pytest.mark.parametrize("kind", ["mechanism", "graph_mechanism"])
def test_a_mechanism_acts_as_it_says_and_has_no_equilibrium(kind: str) -> None:
    game, policy = MAKERS[kind](3)
    seen = observations(game, "mechanism", steps=4, games=5)
    means, _ = through(policy, seen, np.random.default_rng(0))
    state = policy.initial_state(5, np.random.default_rng(0))
    for obs, mean in zip(seen, means, strict=True):
        action, state = policy.act(obs, None, state, np.random.default_rng(0))
        np.testing.assert_array_equal(action, mean[:, :, 0])
    np.testing.assert_array_equal(policy.action(seen[0]), means[0][:, :, 0])
    found = game.exact_scores(policy, inverse_temperature=1.0)
    assert isinstance(found, NoSolution)
    assert "remembers" in found.reason


def test_the_graph_network_with_a_memory_is_equivariant() -> None:
    torch.manual_seed(0)
    network = GraphNetwork(10.0, 8, memory=3)
    order, (endowments, contributions) = [2, 0, 3, 1], torch.rand(2, 6, 4) + 0.5
    state = torch.rand(6, 4, 3)
    logits = network(endowments, contributions, state)
    moved = network(endowments[:, order], contributions[:, order], state[:, order])
    torch.testing.assert_close(moved, logits[:, order])
    assert (network(endowments, contributions, 0 * state) - logits).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["mechanism", "graph_mechanism"])
def test_views_and_rollouts_carry_the_memory(kind: str) -> None:
    game, policy = MAKERS[kind](3)
    rng = np.random.default_rng(4)
    given = [rng.integers(5, size=(1, 4)) for _ in range(game.max_steps // 2)]

    class Scripted:
        def initial_state(self, batch: int, rng: Any) -> Any:
            return np.zeros(batch)

        def distribution(self, obs: Any, mask: Any, state: Any) -> Any:
            raise NotImplementedError

        def act(self, obs: Any, mask: Any, state: Any, rng: Any) -> Any:
            return given[int(state[0])], state + 1

    policies = {"mechanism": policy, "participant": Scripted()}
    steps = list(rollout(game, policies, game.initial_state(1, rng), rng))
    paid = [step.rewards["participant"][0] for step in steps if step.role == "mechanism"]
    expected, state = [], policy.initial_state(1, rng)
    for step in steps:
        if step.role == "mechanism":
            parameters, state = policy.distribution(game.observe(step.state, "mechanism"), None, state)
            outcome = game.outcome(step.state, parameters[:, :, 0])
            expected.append(game.advance(step.state, outcome, step.draws)[1]["participant"][0])
    np.testing.assert_allclose(paid, expected, atol=1e-6)

    env = GameParallelEnv(game, mechanism=policy)
    for _ in range(2):  # a second game begins without what the first has left
        env.reset(seed=0)
        for actions, payoffs in zip(given, paid, strict=True):
            _, rewards, *_ = env.step(dict(zip(env.agents, actions[0], strict=True)))
            np.testing.assert_allclose(list(rewards.values()), payoffs, atol=1e-6)

    other = gymnasium.make(
        "lawgiver/public_investment-v0", role="participant", mechanism=policy, participants=Scripted(), **SHARED
    )
    other.reset(seed=0)
    for actions, payoffs in zip(given, paid, strict=True):
        _, reward, *_ = other.step(int(actions[0, 0]))
        assert reward == pytest.approx(payoffs[0])


def test_what_does_not_fit_is_refused() -> None:
    game = make_game("public_investment", **SHARED)
    with pytest.raises(ParameterError, match="memory is 4, allowed with hidden=None"):
        LearnedMechanism(game, start=(1.0,) * 4, hidden=None, memory=4)
    with pytest.raises(ParameterError, match="memory is -1, allowed: an integer >= 0"):
        LearnedParticipants(game, hidden=(4,), memory=-1)
    movers, people = MAKERS["box_participants"](3)
    with pytest.raises(UnsupportedGameError, match="remembers: what it does in lanes-v0 is no table"):
        tabulate(movers, people, np.zeros(len(movers.members["no_mechanism"])))
