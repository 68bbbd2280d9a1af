"""One update of a mechanism that competes for votes: how fast it is, and how noisy its gradient.

    python benchmarks/election_update.py [--threads 1 2] [--repeats 15]

Speed: an update of 1,000 elections (public investment, five conditions, two games of 10 rounds, 4 participants with an
LSTM of 8 units, a graph network of 32) against the same update written plainly: one tape through all rounds of both
games, rule by rule and network by network. Both are run in turn and medians compared, so that whatever else the
machine does hits both.

Noise: the variance of the gradient of one such batch over repeated batches at fixed weights, summed over the
mechanism's parameters, against plain REINFORCE on the same game with the same participants and batch: the mechanism
draws its logits from a Gaussian around the network's, votes are drawn, and the gradient is the mean over elections of
(share of votes - mean of the batch's other elections) * gradient of the log-density of A's own logits.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch

from lawgiver.agents.graph_network import LearnedGraphMechanism, graph_network
from lawgiver.agents.virtual_networks import (
    ContributionNet,
    VoteNet,
    arrangement,
    contribution_features,
    legal_log_softmax,
    vote_features,
)
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.gradients.election import OPPONENTS, Campaign
from lawgiver.trainers.elections.gradients.joint_table import JointTable
from lawgiver.trainers.elections.gradients.virtual_players import LinearVoters, LstmPlayers

GAMES = 200
"""Elections of each of the five conditions in an update."""
NOISES = (0.1, 0.3, 1.0)
"""Standard deviations of the logits in REINFORCE."""


@dataclass(frozen=True)
class Players:
    """Frozen virtual participants and voters of both versions, untrained but responsive."""

    network: ContributionNet
    voter: VoteNet


def lively_players(game: PublicInvestment, seed: int = 0) -> Players:
    """Return participants who respond clearly to what they are paid, and who vote for what they are paid."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ContributionNet(game.n, game.largest_endowment + 1, 32, 8)
        voter = VoteNet(game.n, game.n_rounds)
        with torch.no_grad():
            for weights in network.lstm.all_weights[0][:2]:
                weights.mul_(3)
            network.output.weight.mul_(3)
            voter.linear.weight.normal_(std=0.02)
            voter.linear.weight.view(game.n_rounds, game.n, 3)[:, 0, 2] += 0.2  # own payout
    return Players(network.requires_grad_(False), voter.requires_grad_(False))


def payoff_minded_players(game: PublicInvestment) -> Players:
    """Return participants who give more after they got back well more than they gave, and vote for what they earned."""
    network, voter = ContributionNet(game.n, game.largest_endowment + 1, 1, 1), VoteNet(game.n, game.n_rounds)
    gain = torch.zeros(4 * game.n)
    gain[1], gain[3] = -1.3, 1.0  # own contribution and payout, over the largest endowment
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.input.weight.copy_(gain[None])
        by_input, _, bias, _ = network.lstm.all_weights[0]
        by_input.copy_(torch.tensor([0.0, 0.0, 8.0, 0.0])[:, None])
        bias.copy_(torch.tensor([0.0, 2.0, 0.0, 3.0]))
        network.output.weight.copy_(torch.linspace(0, 6, game.largest_endowment + 1)[:, None])
        voter.linear.weight.view(game.n_rounds, game.n, 3)[:, 0].copy_(torch.tensor([0.0, -0.5, 0.5]))
    return Players(network.requires_grad_(False), voter.requires_grad_(False))


# -- the plain version ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlainGames:
    """Games (B) under one mechanism: vote logits (B, n), log-likelihood of the contributions and of the logits (B,)."""

    votes: torch.Tensor
    of_contributions: torch.Tensor
    of_logits: torch.Tensor


def plain_games(
    game: PublicInvestment,
    players: Players,
    mechanism: LearnedGraphMechanism,
    endowments: torch.Tensor,
    given: torch.Tensor | None = None,
    noise: float = 0.0,
) -> PlainGames:
    """Play a batch of games round by round; contributions are drawn unless ``given``, (T, B, n)."""
    state = game.initial_state_from(endowments)
    arranged, top = arrangement(endowments), game.largest_endowment
    zeros = endowments.new_zeros(*endowments.shape, players.network.n_hidden)
    memory = (zeros, zeros)
    of_contributions = of_logits = endowments.new_zeros(len(endowments))
    contributions, payouts = [], []
    for t in range(game.n_rounds):
        features = contribution_features(
            endowments,
            state.contributions,
            state.payouts,
            arranged,
            sees_payouts=players.network.sees_payouts,
            top=top,
        )
        logits, memory = players.network.step(features, memory)
        choice = torch.distributions.Categorical(logits=legal_log_softmax(logits, state.legal), validate_args=False)
        action = choice.sample() if given is None else given[t].long()
        of_contributions = of_contributions + choice.log_prob(action).sum(-1)
        state, _, _, _ = game.step(state, action, {})
        if noise:
            logits = mechanism.network(state.endowments, state.contributions)
            density = torch.distributions.Normal(logits, noise, validate_args=False)
            sent = density.sample()
            of_logits = of_logits + density.log_prob(sent).sum(-1)
            state, _, _, _ = game.step(state, sent[:, None], {})
        else:
            weights = mechanism.weights(state.endowments, state.contributions)
            state, _, _, _ = game.advance(state, weights, {})
        contributions.append(state.contributions)
        payouts.append(state.payouts)
    made, paid = torch.stack(contributions, 1), torch.stack(payouts, 1)
    votes = players.voter(
        vote_features(endowments[..., None, :], made, paid, arranged, top=top, relative=players.voter.relative)
    )
    return PlainGames(votes, of_contributions, of_logits)


def all_endowments(game: PublicInvestment, games: int, like: torch.Tensor) -> torch.Tensor:
    """Return the endowments of ``games`` games of each condition, (C * games, n)."""
    return torch.tensor(game.conditions).repeat_interleave(games, 0).to(like)


def plain_surrogate(
    game: PublicInvestment,
    players: Players,
    mechanism: LearnedGraphMechanism,
    rival: LearnedGraphMechanism,
    endowments: torch.Tensor,
    given: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """Compute the surrogate whose gradient an update takes, from games with all their rounds on one tape."""
    a, b = (
        plain_games(game, players, one, endowments, None if given is None else given[side])
        for side, one in enumerate((mechanism, rival))
    )
    conditions = len(game.conditions)
    games = len(endowments) // conditions
    logits, against = a.votes.view(conditions, games, -1), b.votes.view(conditions, games, -1)
    met = [against.roll(-shift, dims=1) for shift in range(min(OPPONENTS, games))]
    values = torch.stack([(logits - one).sigmoid().mean(-1) for one in met]).mean(0)
    others = (values.sum(1, keepdim=True) - values) / (games - 1)
    return (values + (values - others).detach() * a.of_contributions.view(conditions, games)).mean()


def reinforce_surrogate(
    game: PublicInvestment,
    players: Players,
    mechanism: LearnedGraphMechanism,
    rival: LearnedGraphMechanism,
    endowments: torch.Tensor,
    noise: float,
) -> torch.Tensor:
    """Compute the surrogate whose gradient plain REINFORCE takes."""
    a, b = (plain_games(game, players, one, endowments, noise=noise) for one in (mechanism, rival))
    shares = torch.bernoulli((a.votes - b.votes).sigmoid()).mean(-1)
    others = (shares.sum() - shares) / (len(shares) - 1)
    return ((shares - others).detach() * a.of_logits).mean()


# -- measurements -------------------------------------------------------------------------------------------------


class Fast:
    """The update as the library makes it, its parts timed."""

    def __init__(self, game: PublicInvestment, players: Players, games: int = GAMES, seed: int = 0) -> None:
        """Prepare everything that does not change."""
        self.mechanism = graph_network(game, seed=seed)
        like = next(self.mechanism.network.parameters()).detach()
        self.joint = JointTable(game, like)
        lstm, voters = LstmPlayers(players.network, game, games, like), LinearVoters(players.voter, game, like)
        self.campaign = Campaign(self.joint, lstm, voters, games)
        self.generator = torch.Generator(like.device).manual_seed(seed)
        self.adam = torch.optim.Adam(self.mechanism.network.parameters(), lr=4e-5)
        self.laps: dict[str, list[float]] = {}

    def _lap(self, name: str, since: float) -> float:
        now = time.perf_counter()
        self.laps.setdefault(name, []).append(1000 * (now - since))
        return now

    def backward(self) -> None:
        """Leave the gradient of a batch with the parameters."""
        self.adam.zero_grad()
        at = time.perf_counter()
        payouts = self.joint.payouts(self.joint.weights(self.mechanism))
        at = self._lap("table of the mechanism", at)
        table = payouts.detach()
        played = self.campaign.play(table, table, self.generator)
        at = self._lap("sampling", at)
        _, slopes = self.campaign.gradient(played)
        at = self._lap("votes and participants, backward", at)
        payouts.backward(-slopes)
        self._lap("mechanism, backward", at)

    def update(self) -> None:
        """Make one update."""
        self.backward()
        at = time.perf_counter()
        self.adam.step()
        self._lap("Adam", at)


class Plain:
    """The same update, plainly."""

    def __init__(self, game: PublicInvestment, players: Players, games: int = GAMES, seed: int = 0) -> None:
        """Prepare everything that does not change."""
        self.game, self.players = game, players
        self.mechanism = graph_network(game, seed=seed)
        self.rival = copy.deepcopy(self.mechanism)
        self.rival.network.requires_grad_(False)
        self.endowments = all_endowments(game, games, next(self.rival.network.parameters()))
        self.adam = torch.optim.Adam(self.mechanism.network.parameters(), lr=4e-5)

    def backward(self, noise: float = 0.0) -> None:
        """Leave the gradient of a batch with the parameters; of REINFORCE where there is noise."""
        self.adam.zero_grad()
        common = (self.game, self.players, self.mechanism, self.rival, self.endowments)
        surrogate = reinforce_surrogate(*common, noise) if noise else plain_surrogate(*common)
        (-surrogate).backward()

    def update(self) -> None:
        """Make one update."""
        self.rival.network.load_state_dict(self.mechanism.network.state_dict())
        self.backward()
        self.adam.step()


def milliseconds(function: Callable[[], None]) -> float:
    since = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - since)


def variance(version: Fast | Plain, backward: Callable[[], None], batches: int) -> float:
    """Return the variance of a batch's gradient, summed over the parameters."""
    gradients = []
    for _ in range(batches):
        backward()
        gradients.append(torch.cat([p.grad.flatten() for p in version.mechanism.network.parameters()]))
    return float(torch.stack(gradients).var(0).sum())


def speed(game: PublicInvestment, players: Players, threads: int, repeats: int) -> None:
    torch.set_num_threads(threads)
    fast, plain = Fast(game, players), Plain(game, players)
    for version in (fast, plain):
        version.update()
        version.update()
    fast.laps.clear()
    times: dict[str, list[float]] = {"fast": [], "plain": []}
    for _ in range(repeats):
        times["plain"].append(milliseconds(plain.update))
        times["fast"] += [milliseconds(fast.update) for _ in range(5)]
    quick, slow = median(times["fast"]), median(times["plain"])
    elections = GAMES * len(game.conditions)
    print(f"\n{threads} thread(s): {elections} elections an update")
    print(f"  fast  {quick:7.1f} ms   {2 * elections / quick * 1000:9.0f} games a second")
    print(f"  plain {slow:7.1f} ms   {2 * elections / slow * 1000:9.0f} games a second")
    print(f"  fast / plain {quick / slow:.3f}")
    for name, laps in fast.laps.items():
        print(f"    {median(laps):6.2f} ms  {name}")


def noise(game: PublicInvestment, players: Players, batches: int) -> None:
    torch.manual_seed(0)
    fast, plain = Fast(game, players), Plain(game, players)
    ours = variance(fast, fast.backward, batches)
    print(f"  {batches} batches: {ours:.3e}")
    for std in NOISES:
        theirs = variance(plain, lambda std=std: plain.backward(std), batches)
        print(f"    REINFORCE, logits drawn with standard deviation {std}: {theirs:.3e}, ratio {ours / theirs:.2e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batches", type=int, default=40)
    arguments = parser.parse_args()
    game = PublicInvestment()
    players = lively_players(game)
    for threads in arguments.threads:
        speed(game, players, threads, arguments.repeats)
    print("\nvariance of a batch's gradient, participants untrained but lively")
    noise(game, players, arguments.batches)
    print("\nvariance of a batch's gradient, participants who mind what they are paid")
    noise(game, payoff_minded_players(game), arguments.batches)


if __name__ == "__main__":
    main()
