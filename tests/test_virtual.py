"""Virtual participants: their networks, their policies, and what the Model step makes of records."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.agents.learned import PolicyFileError, load_policy, save_policy
from lawgiver.agents.participants import conditional_cooperators
from lawgiver.agents.policies import draw_discrete
from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
from lawgiver.agents.virtual_networks import ContributionNet, arranged, arrangement, own_arrangement
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.public_investment.game import PublicInvestment
from lawgiver.trainers.elections.records.records import AXES, Records, RecordsError, concatenate, select
from lawgiver.trainers.elections.virtual_people.decisions import ContributionData, VoteData
from lawgiver.trainers.elections.virtual_people.losses import DivergedError, cross_entropy
from lawgiver.trainers.elections.virtual_people.votes import fit_votes, voters_of
from lawgiver.trainers.hcmd_zero.model import fit
from lawgiver.trainers.hcmd_zero.settings import ModelSettings

GAME: PublicInvestment = make_game("public_investment")  # type: ignore[assignment]
QUICK = ModelSettings(sizes=((8, 4),), contribution_l2=(0.0,), vote_l2=(0.1,), epochs=60, patience=8)


def contributors(seed: int = 0, scale: float = 1.0, **changes: Any) -> VirtualParticipants:
    """Participants of random weights."""
    torch.manual_seed(seed)
    made = VirtualParticipants(GAME, **{"n_linear": 8, "n_hidden": 4, **changes})
    for weight in made.network.parameters():
        weight.mul_(scale)
    return made


def voters(seed: int = 0, scale: float = 0.5) -> VirtualVoters:
    """Voters who vote for what they themselves were paid, rounds weighted at random."""
    made = VirtualVoters(GAME)
    weights = made.network.linear.weight.view(GAME.n_rounds, 4, 3)
    weights[:, 0, 2] = scale * torch.rand(GAME.n_rounds, generator=torch.Generator().manual_seed(seed))
    weights[:, 1:, 2] = -scale / 6
    return made


def experience(records: Records) -> np.ndarray:
    """What everybody had seen, (G, n, E, T, f), as an election hands it to voters."""
    groups, episodes, rounds, n = records.contributions.shape
    rows = []
    for seat in range(n):
        own_first = [seat, *(j for j in range(n) if j != seat)]
        endowments = np.broadcast_to(records.endowments[:, None, None, own_first], records.contributions.shape)
        number = np.broadcast_to(np.arange(1, rounds + 1)[:, None], (groups, episodes, rounds, 1))
        blocks = [records.contributions[..., own_first], records.payouts[..., own_first], endowments]
        rows.append(np.concatenate([endowments[..., :1], *blocks, number, records.payoffs[..., own_first]], axis=-1))
    return np.stack(rows, axis=1)


def simulate(participants: Any, voting: VirtualVoters | None, groups: int, seed: int = 0) -> Records:
    """Two games of every group, whose mechanism shares at random, and the votes."""
    rng, episodes = np.random.default_rng(seed), []
    first = GAME.initial_state(groups, rng)
    for _ in range(2):
        state, memory, rounds = first, participants.initial_state(groups, rng), []
        for _ in range(GAME.n_rounds):
            seen, legal = GAME.observe(state, "participant"), GAME.legal_actions(state, "participant")
            log_probabilities, memory = participants.distribution(seen, legal, memory)
            given = draw_discrete(log_probabilities, rng)
            state, *_ = GAME.advance(state, GAME.outcome(state, given), {})
            weights = rng.dirichlet(np.ones(4), groups)
            state, *_ = GAME.advance(state, weights, {})
            rounds.append((state.contributions, state.payouts))
        episodes.append([np.stack(x, axis=1) for x in zip(*rounds, strict=True)])
    contributions, payouts = (np.stack(x, axis=1) for x in zip(*episodes, strict=True))
    records = Records(first.endowments, contributions, payouts, np.full((groups, 4), -1))
    if voting is None:
        return records
    return replace(records, votes=draw_discrete(voting.log_probabilities(experience(records)), rng))


def permuted(records: Records, order: list[int]) -> Records:
    """The same behaviour of the same people in other seats."""
    return Records(
        *(getattr(records, name)[..., order] for name in ("endowments", "contributions", "payouts", "votes"))
    )


def test_what_a_participant_sees_is_itself_then_the_others_by_falling_endowment_and_equals_by_their_mean() -> None:
    endowments = np.array([4.0, 2.0, 10.0, 2.0])
    values = np.array([1.0, 2.0, 3.0, 6.0])
    expected = [[1, 3, 4, 4], [2, 3, 1, 6], [3, 1, 4, 4], [6, 3, 1, 2]]
    np.testing.assert_allclose(arranged(values, endowments), expected, atol=1e-15)
    np.testing.assert_allclose(arranged(torch.tensor(values), torch.tensor(endowments)), expected, atol=1e-15)
    for seat in range(4):
        order = [seat, *(j for j in range(4) if j != seat)]
        np.testing.assert_allclose(own_arrangement(endowments[order]) @ values[order], expected[seat], atol=1e-15)
    np.testing.assert_allclose(arrangement(np.full((3, 2, 4), 5.0)).sum(-1), 1)


@pytest.mark.parametrize("sees_payouts", [True, False])
def test_step_by_step_is_the_whole_sequence_and_the_librarys_lstm(sees_payouts: bool) -> None:
    torch.manual_seed(0)
    network = ContributionNet(4, 11, 8, 4, sees_payouts=sees_payouts).double()
    features = torch.randn(6, 10, 16 if sees_payouts else 12, dtype=torch.float64)
    whole = network(features)
    hidden, _ = network.lstm(network.input(features))
    torch.testing.assert_close(whole, network.output(hidden), rtol=0, atol=1e-12)
    state = (torch.zeros(6, 4, dtype=torch.float64),) * 2
    for t in range(10):
        logits, state = network.step(features[:, t], state)
        torch.testing.assert_close(logits, whole[:, t], rtol=0, atol=1e-12)


def test_playing_gives_the_probabilities_that_the_records_are_fitted_by() -> None:
    """The policy, round by round in an environment, against the sequences of the Model step."""
    participants, rng = contributors(scale=2.0), np.random.default_rng(0)
    records = simulate(participants, None, 7)
    expected = ContributionData.of(records, participants).losses(participants.network, torch.arange(7))
    total = np.zeros(7)
    for episode in range(2):
        state, memory = GAME.initial_state_from(records.endowments), participants.initial_state(7, rng)
        for t in range(GAME.n_rounds):
            found, memory = participants.distribution(GAME.observe(state, "participant"), None, memory)
            legal = GAME.legal_actions(state, "participant")
            assert np.array_equal(np.isfinite(found), legal)
            np.testing.assert_allclose(np.exp(found).sum(-1), 1, atol=1e-6)
            given = records.contributions[:, episode, t].astype(int)
            total -= np.take_along_axis(found, given[..., None], axis=-1).sum((1, 2))
            state, *_ = GAME.advance(state, given.astype(float), {})
            paid = records.payouts[:, episode, t]
            state, *_ = GAME.advance(state, paid / paid.sum(-1, keepdims=True), {})
    np.testing.assert_allclose(total, expected, rtol=1e-5)


def test_voting_gives_the_probabilities_that_the_records_are_fitted_by() -> None:
    voting = voters()
    records = simulate(contributors(), voting, 9)
    log_probabilities = voting.log_probabilities(experience(records))
    chosen = np.take_along_axis(log_probabilities, records.votes[..., None], axis=-1)
    assert cross_entropy(voting, records) == pytest.approx(-chosen.mean(), rel=1e-5)
    pay = records.payouts
    weights = voting.network.linear.weight.view(GAME.n_rounds, 4, 3)[:, :, 2].numpy()
    others = pay.sum(-1, keepdims=True) - pay
    logits = np.einsum("t,getn->gne", weights[:, 0], pay) + np.einsum("t,getn->gne", weights[:, 1], others)
    expected = logits / 10 - np.log(np.exp(logits / 10).sum(-1, keepdims=True))
    np.testing.assert_allclose(log_probabilities, expected, atol=1e-5)


def test_other_seats_change_nothing_but_the_seats() -> None:
    """Of weights at random, in float64, so that only the order of sums is left of any difference."""
    order = [2, 0, 3, 1]
    participants, voting = contributors(scale=2.0), voters()
    torch.nn.init.normal_(voting.network.linear.weight)
    participants.network.double()
    voting.network.double()
    records = simulate(participants, voting, 20)
    found = []
    for one in (records, permuted(records, order)):
        state = GAME.initial_state_from(one.endowments)
        memory = participants.initial_state(20, np.random.default_rng(0))
        rounds = []
        for t in range(GAME.n_rounds):
            log_probabilities, memory = participants.distribution(GAME.observe(state, "participant"), None, memory)
            rounds.append(log_probabilities)
            state, *_ = GAME.advance(state, one.contributions[:, 0, t], {})
            paid = one.payouts[:, 0, t]
            state, *_ = GAME.advance(state, paid / paid.sum(-1, keepdims=True), {})
        found.append((np.stack(rounds), voting.log_probabilities(experience(one))))
    np.testing.assert_allclose(found[1][0], found[0][0][:, :, order], rtol=0, atol=1e-11)
    np.testing.assert_allclose(found[1][1], found[0][1][:, order], rtol=0, atol=1e-11)


def test_of_equals_it_does_not_matter_who_gave_and_got_what() -> None:
    """The head's own probabilities stay when two equal tails change places."""
    observation = np.array([[10, 4, 1, 2, 3, 6, 5, 4, 3, 10, 4, 4, 4, 1]], float)[:, None]
    swapped = observation[..., [0, 1, 3, 2, 4, 5, 7, 6, 8, 9, 10, 11, 12, 13]]
    participants = contributors(scale=3.0)
    participants.network.double()
    memory = tuple(x[:, :1] for x in participants.initial_state(1, np.random.default_rng(0)))
    first, _ = participants.distribution(observation, None, memory)
    second, _ = participants.distribution(swapped, None, memory)
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-14)


def test_torch_and_numpy_agree_and_torch_is_differentiable() -> None:
    participants, voting = contributors(scale=2.0), voters()
    records = simulate(participants, voting, 5)
    state = GAME.initial_state_from(records.endowments)
    for t in range(3):
        state, *_ = GAME.advance(state, records.contributions[:, 0, t], {})
        state, *_ = GAME.advance(state, np.full((5, 4), 0.25), {})
    seen, legal = GAME.observe(state, "participant"), GAME.legal_actions(state, "participant")
    memory = participants.initial_state(5, np.random.default_rng(0))
    memory_of_torch = participants.initial_state(5, torch.Generator())
    assert all(isinstance(x, np.ndarray) for x in memory)
    assert all(isinstance(x, torch.Tensor) and x.shape == (5, 4, 4) for x in memory_of_torch)
    observed = torch.tensor(seen, requires_grad=True)
    expected, after = participants.distribution(seen, legal, memory)
    found, after_of_torch = participants.distribution(observed, torch.tensor(legal), memory_of_torch)
    np.testing.assert_allclose(found.detach(), expected, atol=1e-6)
    np.testing.assert_allclose(after_of_torch[0].detach(), after[0], atol=1e-6)
    found[..., 0].sum().backward()
    assert observed.grad is not None and observed.grad.isfinite().all()
    assert (observed.grad[..., 5:9] != 0).any(-1).all()  # payouts
    lived = torch.tensor(experience(records), requires_grad=True)
    votes = voting.log_probabilities(lived)
    np.testing.assert_allclose(votes.detach(), voting.log_probabilities(lived.detach().numpy()), atol=1e-6)
    votes[..., 0].sum().backward()
    assert lived.grad is not None and (lived.grad[..., 5] != 0).all()


@pytest.mark.parametrize("sees_payouts", [True, False])
def test_payouts_matter_just_where_they_are_seen(sees_payouts: bool) -> None:
    participants = contributors(sees_payouts=sees_payouts)
    records = simulate(participants, None, 6)
    more = replace(records, payouts=records.payouts * 2)
    losses = [cross_entropy(participants, one) for one in (records, more)]
    assert (losses[0] != losses[1]) is sees_payouts


def test_a_virtual_participant_forgets_between_games() -> None:
    assert not hasattr(contributors(), "next_game")


def test_policies_and_voters_are_kept_in_files(tmp_path: Path) -> None:
    participants, voting = contributors(n_linear=5, sees_payouts=False), voters()
    records = simulate(participants, voting, 4)
    save_policy(tmp_path / "p", participants)
    save_policy(tmp_path / "v", voting)
    loaded = load_policy(tmp_path / "p", GAME)
    assert isinstance(loaded, VirtualParticipants)
    assert loaded.settings == participants.settings
    assert cross_entropy(loaded, records) == cross_entropy(participants, records)
    assert cross_entropy(load_policy(tmp_path / "v", GAME), records) == cross_entropy(voting, records)
    with pytest.raises(PolicyFileError, match="'virtual_voters' for the role 'voters', not 'participant'"):
        load_policy(tmp_path / "v", GAME, "participant")
    with pytest.raises(PolicyFileError, match="does not fit"):
        load_policy(tmp_path / "v", make_game("public_investment", n_rounds=9))
    with pytest.raises(UnsupportedGameError, match="allocate"):
        load_policy(tmp_path / "p", make_game("public_investment", mechanism_mode="announce"))
    assert json.loads((tmp_path / "p" / "policy.json").read_text())["kind"] == "virtual_participants"


def test_sizes_are_checked() -> None:
    with pytest.raises(ParameterError, match="n_hidden is 0"):
        VirtualParticipants(GAME, n_linear=8, n_hidden=0)


def empirical(records: Records, held_out: Records) -> float:
    """Cross-entropy of contributing as often each amount as people of that endowment did."""
    counts = np.ones((11, 11)) * (np.arange(11) <= np.arange(11)[:, None])
    shape = records.contributions.shape
    np.add.at(counts, (np.broadcast_to(records.endowments[:, None, None], shape).astype(int),
                       records.contributions.astype(int)), 1)  # fmt: skip
    with np.errstate(divide="ignore"):
        table = np.log(counts / np.maximum(counts.sum(-1, keepdims=True), 1))
    rich = np.broadcast_to(held_out.endowments[:, None, None], held_out.contributions.shape).astype(int)
    return float(-table[rich, held_out.contributions.astype(int)].mean())


@pytest.fixture(scope="module")
def recovered() -> Any:
    """Records of known participants and voters, half of them held out, and what is fitted to the rest."""
    torch.set_num_threads(1)
    participants, voting = contributors(scale=3.0), voters(scale=1.5)
    records = simulate(participants, voting, 900)
    training, held_out = select(records, slice(0, 300)), select(records, slice(300, 900))
    settings = QUICK.model_copy(update={"vote_l2": (0.001, 0.01, 0.1)})
    return participants, voting, training, held_out, fit(training, GAME, settings=settings, seed=0)


def test_fitted_participants_come_close_to_those_who_made_the_data(recovered: Any) -> None:
    participants, _, training, held_out, fitted = recovered
    truth, found = cross_entropy(participants, held_out), cross_entropy(fitted.participants, held_out)
    baseline = empirical(training, held_out)
    assert truth - 0.003 < found < truth + 0.02
    assert found < baseline - 0.8 * (baseline - truth)


def test_fitted_voters_come_close_to_those_who_made_the_data(recovered: Any) -> None:
    _, voting, _, held_out, fitted = recovered
    truth, found = cross_entropy(voting, held_out), cross_entropy(fitted.voters, held_out)
    assert truth - 0.003 < found < truth + 0.03
    assert found < np.log(2) - 0.7 * (np.log(2) - truth)


def test_the_report_says_what_was_tried_and_chosen(recovered: Any) -> None:
    _, _, training, _, fitted = recovered
    report = fitted.report["contributions"]
    assert 0 < report["epochs"] <= QUICK.epochs
    assert fitted.participants.settings == {"n_linear": 8, "n_hidden": 4, "sees_payouts": True}
    assert report["fitted"] == pytest.approx(cross_entropy(fitted.participants, training), rel=1e-6)
    assert report["held_out"] == min(one["held_out"] for one in report["grid"])
    assert json.loads(json.dumps(fitted.report)) == fitted.report
    assert not any(weight.requires_grad for weight in fitted.participants.network.parameters())


def test_training_stops_where_the_held_out_groups_get_worse() -> None:
    """Of people who give at random there is nothing to learn, and the more epochs, the worse."""
    records = simulate(contributors(scale=0.01), voters(), 12)
    settings = QUICK.model_copy(update={"epochs": 150, "learning_rate": 0.05})
    report = fit(records, GAME, settings=settings, seed=0).report["contributions"]
    assert report["epochs"] < 100


def test_sizes_and_l2_are_chosen_from_what_is_given() -> None:
    records = simulate(contributors(scale=3.0), voters(), 20)
    settings = QUICK.model_copy(update={"sizes": ((3, 2), (8, 4)), "contribution_l2": (0.0, 100.0), "epochs": 10})
    fitted = fit(records, GAME, settings=settings, seed=1)
    grid = fitted.report["contributions"]["grid"]
    assert [(one["n_linear"], one["l2"]) for one in grid] == [(3, 0.0), (3, 100.0), (8, 0.0), (8, 100.0)]
    chosen = fitted.report["contributions"]
    assert chosen["l2"] == 0.0
    assert fitted.participants.settings["n_linear"] == chosen["n_linear"]


def test_more_l2_makes_votes_more_even() -> None:
    records = simulate(contributors(), voters(scale=2.0), 100)
    norms = []
    for l2 in (0.01, 0.1, 1.0):
        settings = QUICK.model_copy(update={"vote_l2": (l2,), "epochs": 1})
        fitted = fit(records, GAME, settings=settings, seed=0)
        norms.append(float(fitted.voters.network.linear.weight.norm()))
    assert norms[0] > norms[1] > norms[2] > 0


def test_votes_are_at_the_minimum_of_their_loss() -> None:
    records = simulate(contributors(), voters(scale=2.0), 60)
    fitted = fit(records, GAME, settings=QUICK.model_copy(update={"epochs": 1}), seed=0)
    network = fitted.voters.network.requires_grad_(True)
    data = VoteData.of(records, fitted.voters)
    loss = data.losses(network, torch.arange(60)).mean() + 0.1 * network.linear.weight.square().sum()
    loss.backward()
    assert float(network.linear.weight.grad.abs().max()) < 1e-3


def test_the_same_seed_fits_the_same_and_leaves_the_global_generator_alone() -> None:
    records = simulate(contributors(), voters(), 12)
    settings = QUICK.model_copy(update={"epochs": 3})
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = fit(records, GAME, settings=settings, seed=5)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(4)
    second = fit(records, GAME, settings=settings, seed=5)
    other = fit(records, GAME, settings=settings, seed=6)
    assert first.report == second.report != other.report
    for a, b in zip(first.participants.network.parameters(), second.participants.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_groups_without_votes_are_left_out_of_the_votes_alone() -> None:
    voting = voters()
    asked, not_asked = simulate(contributors(), voting, 10), simulate(contributors(), None, 30, seed=1)
    both = concatenate([asked, not_asked])
    assert len(VoteData.of(both, voting)) == 10
    assert len(ContributionData.of(both, contributors())) == 40
    assert cross_entropy(voting, both) == cross_entropy(voting, asked)
    some = replace(asked, votes=np.where(np.arange(4) < 2, asked.votes, -1))
    assert VoteData.of(some, voting).decisions.tolist() == [2] * 10
    with pytest.raises(RecordsError, match="nobody was asked"):
        fit(not_asked, GAME, settings=QUICK, seed=0)


def test_records_of_another_game_are_refused() -> None:
    records = simulate(contributors(), voters(), 4)
    for broken, message in (
        (replace(records, contributions=records.contributions * 0.5), "a whole number of coins"),
        (replace(records, endowments=records.endowments + 5), r"participant 0: is 15, allowed: 1\.\.10"),
        (
            Records(*(getattr(records, name)[..., :3] for name in AXES)),
            "10 rounds of 3 participants, allowed: 10 rounds of 4",
        ),
    ):
        with pytest.raises(RecordsError, match=message):
            fit(broken, GAME, settings=QUICK, seed=0)
    with pytest.raises(RecordsError, match="1 group"):
        fit(select(records, slice(0, 1)), GAME, settings=QUICK, seed=0)


def test_a_diverging_model_says_when() -> None:
    records = simulate(contributors(), voters(), 8)
    with pytest.raises(DivergedError, match=r"in epoch \d+.*learning_rate 1e\+38"):
        fit(records, GAME, settings=QUICK.model_copy(update={"learning_rate": 1e38}), seed=0)


def test_rules_of_thumb_are_imitated() -> None:
    """Conditional cooperators are certain of what they do; the fitted network gives them most of the probability."""
    records = simulate(conditional_cooperators(GAME, reaction=0.3), voters(), 60)
    with_votes = replace(records, votes=np.zeros((60, 4), int))
    fitted = fit(with_votes, GAME, settings=QUICK.model_copy(update={"epochs": 150, "patience": 20}), seed=0)
    assert cross_entropy(fitted.participants, records) < 0.75 * empirical(records, records)


@pytest.mark.parametrize("relative", [False, True])
def test_units_of_votes(relative: bool) -> None:
    """In own endowments, a game in which everything is twice as much is the same game; in coins it is not."""
    made = VirtualVoters(GAME, relative=relative)
    torch.manual_seed(0)
    made.network.linear.weight.copy_(torch.randn_like(made.network.linear.weight))
    endowments = np.array([[5.0, 2, 2, 2], [10, 4, 4, 4]])
    rng = np.random.default_rng(0)
    given = (
        np.floor(rng.random((1, 2, 10, 4)) * (endowments[:1, None, None] + 1)) * np.array([1, 2])[:, None, None, None]
    )
    records = Records(endowments, given, 1.6 * given, np.zeros((2, 4), int))
    data = VoteData.of(records, made)
    small, large = made.network(data.features)
    assert bool(torch.allclose(small, large, atol=1e-5)) is relative


def test_the_data_choose_the_unit() -> None:
    rng = np.random.default_rng(1)
    tails = rng.choice([2.0, 10.0], 400)
    endowments = np.stack([np.full(400, 10.0), tails, tails, tails], axis=1)
    given = np.floor(rng.random((400, 2, 10, 4)) * (endowments[:, None, None] + 1))
    paid = 1.6 * given.sum(axis=-1, keepdims=True) * rng.dirichlet(np.ones(4), (400, 2, 10))
    earned = (endowments[:, None, None] - given + paid).sum(axis=2)  # (G, E, n)
    for own, unit in ((endowments[:, None], "own_endowment"), (np.full((1, 1, 1), 10.0), "largest_endowment")):
        odds = (earned / own)[:, 1] - (earned / own)[:, 0]
        votes = (rng.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(int)
        _, report = _fit_votes_of(Records(endowments, given, paid, votes))
        assert report["unit"] == unit


def _fit_votes_of(records: Records) -> Any:
    units: Any = ("largest_endowment", "own_endowment")
    return fit_votes({unit: VoteData.of(records, voters_of(GAME, unit)) for unit in units}, GAME, QUICK.vote_l2, 0)
