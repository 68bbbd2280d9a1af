"""Learned allocators: the network, its gradient, the trainer, and the same network by RLlib."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import lawgiver
from lawgiver.agents.allocator_net import LearnedAllocator
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.online_allocation import OnlineAllocation
from lawgiver.envs.solvers.online_allocation.assignments import all_assignments
from lawgiver.trainers.cli import app
from lawgiver.trainers.online_allocation import evaluation
from lawgiver.trainers.online_allocation.evaluation import NarrowerDueling, cumulative_regret, judged
from lawgiver.trainers.online_allocation.learner import Learner, residuals
from lawgiver.trainers.online_allocation.settings import Evaluation, OnlineAllocationTrainer
from lawgiver.trainers.online_allocation.tables import tables_of
from lawgiver.trainers.runs import launch
from lawgiver.trainers.statistics.seeds import aggregate
from lawgiver.trainers.statistics.streams import torch_generator, torch_seeded

GAME = OnlineAllocation(n=3, rounds=6)
QUICK = [
    "game={name: online_allocation, n: 3, rounds: 6}",
    "trainer={name: online_allocation, updates: 8, problems: 4, copies: 2, log_every: 4, checkpoint_every: 5}",
    "trainer.evaluation={games: 20, tuning: 10}",
]


def allocator(game: OnlineAllocation, seed: int = 0) -> LearnedAllocator:
    """Make an allocator in double precision, whose last layers are not at zero."""
    with torch_seeded(seed):
        made = LearnedAllocator(game, hidden=(8,))
        for layer in (made.network.cell, made.network.sharpness):
            torch.nn.init.normal_(layer.weight)
    made.network.double()
    return made


def tables(games: int, n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Draw mean answers, their numbers, and completed rounds."""
    rng = np.random.default_rng(1)
    counts = rng.integers(0, 9, (games, n, n)).astype(float)
    estimates = np.where(counts > 0, rng.random((games, n, n)), 0.5)
    return torch.tensor(estimates), torch.tensor(counts), torch.tensor(counts.sum((1, 2)) % 6)


@pytest.mark.parametrize("criterion", ["sum", "max_min", "nash", "proportionality", "envy"])
def test_permuting_agents_or_items_permutes_what_is_done(criterion: str) -> None:
    made = allocator(replace(GAME, criterion=criterion))
    estimates, counts, done = tables(20, 3)
    log_policy, questions = made.network(estimates, counts, done)
    rows, columns = [2, 0, 1], [1, 0, 2]
    other = made.network(estimates[:, rows][..., columns], counts[:, rows][..., columns], done)
    assert torch.allclose(other[1], questions[:, rows][..., columns])
    listed = [tuple(x) for x in all_assignments(3)]
    for number, x in enumerate(permutations(range(3))):
        moved = tuple(columns.index(x[rows[i]]) for i in range(3))
        assert torch.allclose(other[0][:, listed.index(moved)], log_policy[:, number])


@pytest.mark.parametrize("query", ["own", "any_pair"])
def test_probabilities_of_questions_are_those_over_drawn_assignments(query: str) -> None:
    network = allocator(replace(GAME, query=query)).network
    log_policy, questions = network(*tables(5, 3))
    asked = network.asked(log_policy, questions).exp()
    expected = torch.zeros_like(asked)
    for likely, x in zip(log_policy.exp().mT, all_assignments(3), strict=True):
        if query == "own":
            each = questions[:, range(3), x].softmax(-1)
            for i in range(3):
                expected[:, i, x[i]] += likely * each[:, i]
        else:
            expected += likely[:, None, None] * questions.flatten(1).softmax(-1).view_as(questions)
    assert torch.allclose(asked, expected)


def test_an_untrained_network_takes_the_best_posterior_means_and_asks_what_is_known_least() -> None:
    made = LearnedAllocator(GAME)
    estimates, counts, done = (x.numpy() for x in tables(50, 3))
    assignment, (urgency, items), _ = made.decide(estimates, counts, done, None, None)
    mean = (estimates * counts + 1) / (counts + 2)
    best, _ = GAME.fairness.optimum(mean)
    assert (assignment == best).all() and (items == assignment).all()
    spread = mean * (1 - mean) / (counts + 3)
    own = np.take_along_axis(spread, assignment[..., None], -1)[..., 0]
    assert (urgency.argmax(-1) == own.argmax(-1)).all()


@pytest.mark.parametrize("query", ["own", "any_pair"])
def test_the_gradient_is_that_of_cumulative_regret(query: str) -> None:
    """Exactly, of a single problem of two rounds: the mean over all answers and questions beside finite differences."""
    game = OnlineAllocation(n=2, rounds=2, query=query, means=[[0.8, 0.3], [0.6, 0.9]])
    made = allocator(game)
    made.network.float()
    settings = OnlineAllocationTrainer(name="online_allocation", discount=1.0, copies=32)
    learner = Learner(made, settings, torch_generator("cpu", 0))
    values = torch.tensor(game.means, dtype=torch.float32)[None]
    losses = game.fairness.optimum(values)[1][:, None] - game.fairness.values(values, values, all_assignments(2))

    def known(pair: int, answer: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        counts = torch.zeros(1, 4, dtype=torch.float32)
        counts[0, pair] = 1
        estimates = torch.where(counts > 0, answer, 0.5).view(1, 2, 2)
        return estimates, counts.view(1, 2, 2), torch.ones(1, dtype=torch.float32)

    start = (torch.full((1, 2, 2), 0.5), torch.zeros(1, 2, 2), torch.zeros(1))

    def regret() -> torch.Tensor:
        log_policy, questions = made.network(*start)
        asked = made.network.asked(log_policy, questions).exp().flatten()
        total = (log_policy.exp() * losses).sum()
        for pair in range(4):
            for answer, chance in ((1.0, values.flatten()[pair]), (0.0, 1 - values.flatten()[pair])):
                later = made.network(*known(pair, answer))[0]
                total = total + asked[pair] * chance * (later.exp() * losses).sum()
        return total

    regret().backward()
    exact = torch.cat([p.grad.flatten() for p in made.network.parameters()])
    made.network.zero_grad()
    draws = 60
    found = []
    for _ in range(draws):
        rounds = learner.play(16, 32)
        made.network.zero_grad()
        (2 * learner.surrogate(rounds, torch.arange(2))).backward()
        found.append(torch.cat([p.grad.flatten() for p in made.network.parameters()]))
    sample = torch.stack(found)
    error = sample.std(0) / draws**0.5
    off = (sample.mean(0) - exact).abs() / (error + 1e-4)
    assert float(exact.abs().max()) > 0.01
    assert float(off.max()) < 5


def test_baselines_take_off_what_the_round_and_the_problem_explain() -> None:
    rng = torch.Generator().manual_seed(0)
    now, problem = torch.rand(4, 64, generator=rng), torch.rand(4, 16, generator=rng).repeat_interleave(4, 1)
    assert float(residuals(3 * now + 2, now, 4).abs().max()) < 1e-2
    noise = torch.randn(4, 64, generator=rng)
    left = residuals(5 * problem + 2 * now + 0.1 * noise, now, 4)
    assert float(left.std()) < 0.3 * float((5 * problem + 2 * now).std())


def test_a_short_training_learns(undrawn: None) -> None:
    game = OnlineAllocation(n=2, rounds=24, query="any_pair")
    with torch_seeded(0):
        made = LearnedAllocator(game, hidden=(8,))
    settings = OnlineAllocationTrainer(name="online_allocation", updates=40, problems=32, copies=4, learning_rate=0.01)
    learner = Learner(made, settings, torch_generator("cpu", 0))
    drawn = [learner.update(number)["regret"] for number in range(1, 41)]
    assert np.mean(drawn[-10:]) < 0.93 * np.mean(drawn[:5])
    again, before = (
        cumulative_regret(game, policy, 500, [0]) for policy in (made, LearnedAllocator(game, hidden=(8,)))
    )
    assert again.mean() < before.mean()
    assert again.mean() < cumulative_regret(game, NarrowerDueling(game, 1.0), 500, [0]).mean()


def test_intervals_as_wide_as_they_are_proven_are_duelings_own() -> None:
    named = make_policy(GAME, "mechanism", "dueling")
    whole = cumulative_regret(GAME, NarrowerDueling(GAME, 1.0), 30, [1])
    assert (whole == cumulative_regret(GAME, named, 30, [1])).all()


def test_what_is_judged_is_the_same_games(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "CONFIDENCES", (0.3, 1.0))
    found = judged(GAME, LearnedAllocator(GAME), Evaluation(games=40, tuning=10), [0])
    assert found["beside_learned"]["untrained"].ends == (0.0, 0.0)
    for name, value in found["beside_learned"].items():
        assert found["regret"][name].mean - found["regret"]["learned"].mean == pytest.approx(value.mean)


def test_resumed_it_ends_as_if_it_had_not_been_interrupted(
    undrawn: None, interrupted_and_whole: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "CONFIDENCES", (0.3, 1.0))
    whole, logged = interrupted_and_whole("online_allocation", QUICK)
    assert logged == [4, 8]
    assert whole["updates"] == 8


def test_a_run_from_the_command_line_is_complete(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "CONFIDENCES", (0.3, 1.0))
    folder = tmp_path / "run"
    result = CliRunner().invoke(app, ["train", "online_allocation", *QUICK, f"run_dir={folder}"])
    assert result.exit_code == 0, result.output
    assert "dueling" in result.output
    summary = json.loads((folder / "summary.json").read_text())
    assert list(summary["regret"])[:3] == ["learned", "untrained", "tuned_dueling"]
    assert {path.name for path in (folder / "figures").iterdir()} == {"curves.png", "regret.png"}
    longer = OnlineAllocation(n=4, rounds=9, criterion="nash")
    kept = lawgiver.load(folder, "mechanism", game=longer)
    assert kept.kind == "allocator_net" and kept.network.rounds == 9


def test_tables_of_several_seeds_say_the_mean_width() -> None:
    seeds = [
        {"regret": {"learned": mean}, "beside_learned": {"dueling": 1}, "confidence": width}
        for mean, width in ((10, 0.2), (12, 0.3))
    ]
    (alone,), (both,) = (list(tables_of(numbers)) for numbers in (seeds[0], aggregate(seeds)))
    told = [str(table.caption) for table in (alone, both)]
    assert "narrower intervals: 0.2 times" in told[0] and "narrower intervals: 0.25 times" in told[1]
    assert both.rows["learned"]["regret"] == "10 to 12"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (["game.questions=2"], UnsupportedGameError, "questions is 2"),
        (["game.payments=true"], UnsupportedGameError, "payments=False: payments is True"),
        (["game={name: lanes}"], UnsupportedGameError, "needs online_allocation .*, not lanes-v0$"),
        (["game.criterion=stability", "game.query=any_pair"], UnsupportedGameError, "other than 'stability'"),
        (["trainer.copies=1"], ParameterError, "copies"),
    ],
)
def test_what_cannot_be_trained_is_told_in_one_line(changes: Any, error: Any, message: str, tmp_path: Any) -> None:
    with pytest.raises(error, match=message):
        launch.train("online_allocation", [*QUICK, *changes, f"run_dir={tmp_path / 'run'}"])


@pytest.mark.parametrize("query", ["own", "any_pair"])
def test_rllibs_distribution_is_that_of_assignment_and_question(query: str) -> None:
    """Probabilities of all actions sum to 1, entropy and KL are theirs, and what is sent means what was drawn."""
    from lawgiver.trainers.rllib.allocator_module import asking

    game = replace(GAME, query=query)
    rng = torch.Generator().manual_seed(0)
    one, other = (asking(3, query)(torch.randn(1, 6 + 9, generator=rng).double()) for _ in range(2))
    asked = 3 if query == "own" else 9
    every = torch.cat([one._action(torch.tensor([x]), torch.tensor([q])) for x in range(6) for q in range(asked)])
    logp, others = (
        asking(3, query)(torch.cat([d.assigned, d.questions], -1).expand(len(every), -1)).logp(every)
        for d in (one, other)
    )
    assert float(logp.exp().sum()) == pytest.approx(1)
    assert float(-(logp.exp() * logp).sum()) == pytest.approx(float(one.entropy()))
    assert float((logp.exp() * (logp - others)).sum()) == pytest.approx(float(one.kl(other)))
    state = game.initial_state(len(every), np.random.default_rng(0))
    outcome = game.outcome(state, every[:, None].numpy())
    assert (game.action_of(outcome)[:, 0] == every.numpy()).all()
