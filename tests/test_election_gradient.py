"""The gradient of an election's value: against enumeration, differences, the plain version, and what it is for."""

from __future__ import annotations

import copy
import importlib.util
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from lawgiver.agents.graph_network import LearnedGraphMechanism, graph_network
from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.election.game import Election
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.gradients.election import Campaign, Elections, advantages, votes
from lawgiver.trainers.elections.gradients.joint_table import JointTable
from lawgiver.trainers.elections.gradients.virtual_players import LinearVoters, LstmPlayers
from lawgiver.trainers.elections.virtual_people.losses import DivergedError
from lawgiver.trainers.evaluation.vote_shares import hold
from lawgiver.trainers.hcmd_zero.optimise import SelfPlay, optimise
from lawgiver.trainers.settings.base import Resources


def benchmark() -> Any:
    """Return the module of the plain version."""
    path = Path(__file__).parents[1] / "benchmarks" / "election_update.py"
    spec = importlib.util.spec_from_file_location("election_update", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["election_update"] = module
    spec.loader.exec_module(module)
    return module


plain = benchmark()


@pytest.fixture
def exact() -> Iterator[None]:
    """Compute in float64."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def gradient_of(mechanism: LearnedGraphMechanism) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in mechanism.network.parameters() if p.grad is not None])


def mechanism_of(game: PublicInvestment, seed: int = 0, n_units: int = 4) -> LearnedGraphMechanism:
    made = graph_network(game, n_units=n_units, seed=seed)
    assert isinstance(made, LearnedGraphMechanism)
    with torch.no_grad():
        for parameter in made.network.parameters():
            parameter.mul_(2)
    return made


# -- participants whose probabilities are a smooth function of the last round ------------------------------------------


class Tabular:
    """They give more the more they were paid back, less to whom the others were paid more."""

    def __init__(self, game: PublicInvestment, rows: int) -> None:
        self.endowments = torch.tensor(game.conditions[0]).repeat(rows, 1)
        self.actions = game.largest_endowment + 1

    def log_chances(self, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        """Return (R, actions, n, m) for the last round, (R, n, m)."""
        endowments = self.endowments[: len(payouts), :, None]
        others = payouts.sum(1, keepdim=True) - payouts
        eager = 0.3 + torch.sin(1.5 * payouts) - 0.4 * others - 0.2 * contributions + 0.1 * endowments
        actions = torch.arange(self.actions)[:, None, None]
        logits = (actions * eager[:, None]).masked_fill(actions > endowments[:, None], -torch.inf)
        return logits.log_softmax(1)

    def log_likelihood(self, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        """Return (R, m) for games (T, R, n, m)."""
        before = torch.zeros(2, *payouts.shape[1:])
        likelihood = torch.zeros(payouts.shape[1], payouts.shape[3])
        for made, paid in zip(contributions, payouts, strict=True):
            log_chances = self.log_chances(*before)
            likelihood = likelihood + log_chances.gather(1, made[:, None].long()).sum((1, 2))
            before = (made, paid)
        return likelihood

    def play(self, round: int, contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
        return self.log_chances(contributions, payouts).exp()

    def score(self, contributions: torch.Tensor, payouts: torch.Tensor, advantages: torch.Tensor) -> torch.Tensor:
        leaf = payouts.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad((advantages * self.log_likelihood(contributions, leaf)).sum(), leaf)
        return gradient


def smooth_voters(contributions: torch.Tensor, payouts: torch.Tensor) -> torch.Tensor:
    """Return logits (R, n, m): a smooth taste for being paid, less so in later rounds, and for not contributing."""
    fading = torch.linspace(1.0, 0.5, len(payouts))[:, None, None, None]
    return (fading * torch.tanh(payouts) * 2 - 0.3 * contributions).sum(0)


def all_games(game: PublicInvestment) -> torch.Tensor:
    """Return every sequence of joint contributions, (T, n, K)."""
    each = [range(e + 1) for _ in range(game.n_rounds) for e in game.conditions[0]]
    return torch.tensor(list(product(*each)), dtype=torch.float64).T.reshape(game.n_rounds, game.n, -1)


def paid_in(game: PublicInvestment, mechanism: LearnedGraphMechanism, games: torch.Tensor) -> torch.Tensor:
    """Return the payouts (T, n, K) of games, step by step by the rules."""
    state = game.initial_state_from(torch.tensor(game.conditions[0]).double().repeat(games.shape[2], 1))
    payouts = []
    for made in games:
        state, *_ = game.step(state, made.T, {})
        state, *_ = game.advance(state, mechanism.weights(state.endowments, state.contributions), {})
        payouts.append(state.payouts.T)
    return torch.stack(payouts)


def expectation(
    game: PublicInvestment, mechanism: LearnedGraphMechanism, rival: LearnedGraphMechanism
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the exact value of a mechanism, and the probabilities of all games under either, (K,)."""
    games, people = all_games(game), Tabular(game, 1)
    logits, chances = [], []
    for one in (mechanism, rival):
        payouts = paid_in(game, one, games)
        chances.append(people.log_likelihood(games[:, None], payouts[:, None])[0].exp())
        logits.append(smooth_voters(games[:, None], payouts[:, None])[0])
    shares = (logits[0][:, :, None] - logits[1][:, None, :]).sigmoid().mean(0)
    return chances[0] @ shares @ chances[1], chances[0].detach(), chances[1].detach()


TINY = [((1, 1), 2), ((2, 1), 1), ((1, 1, 2), 1)]


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize(("endowments", "m"), TINY)
def test_expectation_of_the_estimator_is_the_gradient_of_the_exact_value(endowments: tuple[int, ...], m: int) -> None:
    game = PublicInvestment(endowments=endowments, n_rounds=2)
    mechanism, rival = mechanism_of(game, 1), mechanism_of(game, 2)
    rival.network.requires_grad_(False)
    value, chances, of_rival = expectation(game, mechanism, rival)
    value.backward()
    by_autograd = gradient_of(mechanism)
    assert float(chances.sum()) == pytest.approx(1, abs=1e-12)

    by_differences = torch.zeros_like(by_autograd)
    at, step = 0, 1e-5
    with torch.no_grad():
        for parameter in mechanism.network.parameters():
            for entry in parameter.view(-1):
                here = entry.clone()
                ends = []
                for sign in (1, -1):
                    entry.copy_(here + sign * step)
                    ends.append(expectation(game, mechanism, rival)[0])
                entry.copy_(here)
                by_differences[at] = (ends[0] - ends[1]) / (2 * step)
                at += 1
    assert float((by_differences - by_autograd).norm() / by_autograd.norm()) < 1e-6

    # every set of m games under the mechanism is a row; every set of m games under the rival is put against all rows
    games = all_games(game)
    sets = torch.tensor(list(product(range(games.shape[2]), repeat=m)))
    rows = len(sets)
    joint = JointTable(PublicInvestment(endowments=(endowments,) * rows, n_rounds=2), torch.zeros(1))
    campaign = Campaign(joint, Tabular(game, 2 * rows), smooth_voters, m)
    payouts, against = joint.payouts(joint.weights(mechanism)), joint.payouts(joint.weights(rival))
    likely, of_rivals = chances[sets].prod(1), of_rival[sets].prod(1)
    table, mean = torch.zeros_like(payouts), torch.zeros(())
    own = games[:, :, sets].transpose(1, 2)
    for chosen, chance in zip(sets, of_rivals, strict=True):
        theirs = games[:, :, chosen][:, None].expand(-1, rows, -1, -1)
        contributions = torch.cat([own, theirs], dim=1)
        places = torch.stack(
            [joint.places(made, out=torch.empty_like(made, dtype=torch.int64)) for made in contributions]
        )
        paid = torch.stack([payouts.detach().reshape(-1), against.reshape(-1)])[:, places]
        played = Elections(contributions, torch.cat([paid[0][:, :rows], paid[1][:, rows:]], dim=1), places)
        values, slopes = campaign.slopes(played)
        weights = chance * likely[:, None]
        mean = mean + (weights * values).sum() / m
        table += joint.collect(places[:, :rows], slopes * weights[None, :, :, None] / m)
    mechanism.network.zero_grad()
    payouts.backward(table)
    assert float(mean) == pytest.approx(float(value.detach()), abs=1e-12)
    assert float((gradient_of(mechanism) - by_autograd).norm() / by_autograd.norm()) < 1e-6


@pytest.mark.usefixtures("exact")
def test_sampled_estimator_agrees_with_the_exact_gradient() -> None:
    game = PublicInvestment(endowments=(2, 1), n_rounds=2)
    mechanism, rival = mechanism_of(game, 1), mechanism_of(game, 2)
    value, _, _ = expectation(game, mechanism, rival)
    value.backward()
    truth = gradient_of(mechanism)
    joint = JointTable(game, torch.zeros(1))
    campaign = Campaign(joint, Tabular(game, 2), smooth_voters, 50)
    payouts, against = joint.payouts(joint.weights(mechanism)), joint.payouts(joint.weights(rival)).detach()
    generator, gradients, values = torch.Generator().manual_seed(0), [], []
    for _ in range(400):
        seen, slopes = campaign.gradient(campaign.play(payouts.detach(), against, generator))
        mechanism.network.zero_grad()
        payouts.backward(slopes, retain_graph=True)
        gradients.append(gradient_of(mechanism))
        values.append(seen.mean())
    for samples, expected in ((torch.stack(gradients), truth), (torch.stack(values)[:, None], value.detach())):
        error = samples.std(0) / len(samples) ** 0.5
        assert bool(((samples.mean(0) - expected).abs() <= 4 * error + 1e-12).all())
    assert float((torch.stack(gradients).mean(0) - truth).norm() / truth.norm()) < 0.1  # a sharp test, not a noisy one


def test_baseline_leaves_out_the_game_itself() -> None:
    values = torch.rand(3, 7, dtype=torch.float64)
    others = [[(values[c].sum() - values[c, g]) / 6 for g in range(7)] for c in range(3)]
    torch.testing.assert_close(advantages(values), values - torch.tensor(others, dtype=torch.float64))


def test_derivative_of_votes() -> None:
    logits = torch.randn(2, 3, 40, dtype=torch.float64, requires_grad=True)
    rival = torch.randn(2, 3, 40, dtype=torch.float64)
    met = torch.stack([rival.roll(-shift, dims=-1) for shift in range(32)])
    expected = (logits - met).sigmoid().mean((0, 2))
    values, slopes = votes(logits.detach(), rival)
    torch.testing.assert_close(values, expected)
    torch.testing.assert_close(slopes, torch.autograd.grad(expected.sum(), logits)[0])


# -- virtual participants --------------------------------------------------------------------------------------------


def fast_and_plain(game: PublicInvestment, games: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the gradient of a batch by the fast and by the plain version, with the same contributions."""
    people = plain.lively_players(game)
    mechanism, rival = mechanism_of(game, 1, 8), mechanism_of(game, 2, 8)
    rival.network.requires_grad_(False)
    like = torch.zeros(1)
    joint = JointTable(game, like)
    lstm, voters = LstmPlayers(people.network, game, games, like), LinearVoters(people.voter, game, like)
    campaign = Campaign(joint, lstm, voters, games)
    payouts, against = joint.payouts(joint.weights(mechanism)), joint.payouts(joint.weights(rival))
    for seed in range(2):  # the second batch in the memory of the first
        played = campaign.play(payouts.detach(), against, torch.Generator().manual_seed(seed))
    _, slopes = campaign.gradient(played)
    payouts.backward(slopes)
    fast = gradient_of(mechanism)
    mechanism.network.zero_grad()
    conditions = len(game.conditions)
    given = played.contributions.permute(0, 1, 3, 2)
    sides = [given[:, half].flatten(1, 2) for half in (slice(0, conditions), slice(conditions, None))]
    endowments = plain.all_endowments(game, games, like)
    plain.plain_surrogate(game, people, mechanism, rival, endowments, sides).backward()
    return fast, gradient_of(mechanism)


GAMES = {
    "paper": PublicInvestment(),
    "three, all different": PublicInvestment(endowments=(3, 1, 2), n_rounds=4, multiplier=2.0),
    "two pairs": PublicInvestment(endowments=((5, 5, 2, 2), (4, 2, 4, 2)), n_rounds=3),
    "one round": PublicInvestment(endowments=(4, 3), n_rounds=1),
}


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("game", GAMES.values(), ids=list(GAMES))
def test_fast_version_equals_the_plain_one(game: PublicInvestment) -> None:
    fast, slow = fast_and_plain(game, 40)
    assert float((fast - slow).norm() / slow.norm()) < 1e-11


def test_fast_version_equals_the_plain_one_in_single_precision() -> None:
    fast, slow = fast_and_plain(GAMES["paper"], 40)
    assert fast.dtype == torch.float32
    assert float((fast - slow).norm() / slow.norm()) < 1e-4


@pytest.mark.parametrize("people", [plain.lively_players, plain.payoff_minded_players])
def test_variance_is_far_below_that_of_reinforce(people: Any) -> None:
    game = PublicInvestment()
    torch.manual_seed(0)
    fast, slow = (version(game, people(game), 10) for version in (plain.Fast, plain.Plain))
    ours = plain.variance(fast, fast.backward, 12)
    for noise in plain.NOISES:
        assert ours < 0.1 * plain.variance(slow, lambda noise=noise: slow.backward(noise), 12)


# -- the loop --------------------------------------------------------------------------------------------------------


def payoff_minded(game: PublicInvestment) -> tuple[VirtualParticipants, VirtualVoters]:
    """Return people who give more after they got back well more than they gave, and who vote for what they earned."""
    people = plain.payoff_minded_players(game)
    participants, voters = VirtualParticipants(game, n_linear=1, n_hidden=1), VirtualVoters(game)
    participants.network.load_state_dict(people.network.state_dict())
    voters.network.load_state_dict(people.voter.state_dict())
    return participants, voters


def train(mechanism: LearnedGraphMechanism, game: PublicInvestment, **changes: Any) -> list[dict[str, float]]:
    settings: dict[str, Any] = {"updates": 120, "batch": 200, "learning_rate": 0.01, "seed": 1} | changes
    told: list[dict[str, float]] = []
    people = payoff_minded(game)
    optimise(mechanism, *people, game, **settings, report=lambda update, seen: told.append({"update": update, **seen}))
    return told


def contributed(mechanism: LearnedGraphMechanism, game: PublicInvestment) -> torch.Tensor:
    """Return the mean contributions of the last round under a mechanism, (C, n)."""
    play = SelfPlay(mechanism, *payoff_minded(game), game, 100, (0,))
    table = play._joint.payouts(play.weights())
    return play._campaign.play(table, table, torch.Generator().manual_seed(0)).contributions[-1, :5].mean(-1)


def test_mechanism_learns_to_make_people_contribute_which_wins_votes() -> None:
    game = PublicInvestment()
    mechanism = mechanism_of(game, n_units=8)
    before = contributed(mechanism, game)
    told = train(mechanism, game)
    after = contributed(mechanism, game)
    assert told[-1]["share_against_start"] > 0.55
    assert float(before[0, 0]) < 5 and float(after[0, 0]) > 8  # of a rich head among poor tails
    assert [line["update"] for line in told] == list(range(12, 121, 12))
    assert all(abs(line["value"] - 0.5) < 0.02 for line in told)  # against a copy


def test_value_is_the_vote_share_in_the_election_game() -> None:
    game = PublicInvestment()
    participants, voters = payoff_minded(game)
    mechanism, rival = mechanism_of(game, n_units=8), mechanism_of(game, n_units=8)
    train(mechanism, game, updates=30)
    election = Election(base="public_investment", participants=participants, voters=voters)
    with torch.no_grad():
        opening = game.initial_state_from(plain.all_endowments(game, 400, torch.zeros(1)))
        final = hold(election, [mechanism, rival], opening, torch.Generator().manual_seed(0))
        shares = final.vote_probabilities[:, :, 0].mean(1)
    play = SelfPlay(mechanism, participants, voters, game, 400, (0,))
    with torch.no_grad():
        ours = play.share(play.weights(), play._joint.weights(rival))
    error = float(shares.std()) * (2 / len(shares)) ** 0.5
    assert abs(float(shares.mean()) - float(ours)) < 4 * error
    assert abs(float(ours) - 0.5) > 8 * error  # it could have been wrong


def test_same_seed_gives_the_same_weights() -> None:
    game = PublicInvestment()
    made = [mechanism_of(game, n_units=8) for _ in range(3)]
    told = [train(one, game, updates=10, seed=seed) for one, seed in zip(made, (1, 1, 2), strict=True)]
    weights = [torch.cat([p.detach().flatten() for p in one.network.parameters()]) for one in made]
    assert told[0] == told[1] != told[2]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_divergence_leaves_the_last_good_weights() -> None:
    game = PublicInvestment()
    mechanism = mechanism_of(game)
    before = copy.deepcopy(mechanism.network.state_dict())
    with pytest.raises(DivergedError, match="between updates 0 and 1"):
        train(mechanism, game, learning_rate=1e38, updates=3)
    assert all(torch.equal(before[key], kept) for key, kept in mechanism.network.state_dict().items())


def test_bad_settings_are_named() -> None:
    game = PublicInvestment()
    mechanism = mechanism_of(game)
    with pytest.raises(ParameterError, match="batch is 12, allowed: a multiple of 5"):
        train(mechanism, game, batch=12)
    with pytest.raises(ParameterError, match="a multiple of 10, 5 conditions times 2 learning processes"):
        train(mechanism, game, batch=15, resources=Resources(num_learners=2))
    with pytest.raises(ParameterError, match="updates is 0"):
        train(mechanism, game, updates=0)
    huge = PublicInvestment(endowments=(10,) * 8)
    with pytest.raises(UnsupportedGameError, match="joint contributions, allowed: at most 2000000"):
        JointTable(huge, torch.zeros(1))


def test_workers_share_a_batch_and_their_gradients_are_averaged(
    ray_cluster: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = PublicInvestment(n_rounds=3)
    mechanism, same = (mechanism_of(game) for _ in range(2))
    started: list[Resources] = []
    monkeypatch.setattr("lawgiver.trainers.hcmd_zero.optimise.start_ray", started.append)  # it runs already
    train(mechanism, game, resources=Resources(num_learners=2), updates=2, batch=40)
    assert [use.num_learners for use in started] == [2]
    parameters = list(same.network.parameters())
    adam = torch.optim.Adam(parameters, lr=0.01)
    shards = [SelfPlay(same, *payoff_minded(game), game, 4, (1, rank)) for rank in (1, 2)]
    for _ in range(2):
        gradients = []
        for shard in shards:
            shard.gradient()
            gradients.append(gradient_of(same))
        mean = torch.stack(gradients).mean(0)
        for parameter, part in zip(parameters, mean.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = part.view_as(parameter).clone()
        adam.step()
    joint = JointTable(game, torch.zeros(1))  # the last bias has no gradient but rounding: it changes no weight
    torch.testing.assert_close(joint.weights(mechanism), joint.weights(same), rtol=1e-5, atol=1e-5)
