"""Behavioural clones of any recorded game: what they are fitted by, forced choices, games of any length, and votes."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from lawgiver.agents.clones import Clones
from lawgiver.agents.learned import load_policy, save_policy
from lawgiver.agents.policies import draw_discrete
from lawgiver.agents.virtual import VirtualParticipants, VirtualVoters
from lawgiver.envs.core.errors import ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.election.experience import experience_layout
from lawgiver.envs.election.game import Election
from lawgiver.trainers.elections.records.recording import recorded_election, recorded_games
from lawgiver.trainers.elections.records.records import Records, RecordsError, select
from lawgiver.trainers.elections.virtual_people.contributions import Candidate, Schedule, fit_contributions
from lawgiver.trainers.elections.virtual_people.decisions import ContributionData, VoteData
from lawgiver.trainers.elections.virtual_people.losses import cross_entropy
from lawgiver.trainers.elections.virtual_people.votes import fit_votes, voters_of
from lawgiver.trainers.evaluation.vote_shares import hold

SMALL = {"first_pool": 24.0, "capacity": 24.0, "n_rounds": 6}
COMMONS: Any = make_game("commons_trust", **SMALL)
INVESTMENT: Any = make_game("public_investment", n_rounds=5)


def clones(game: Any = COMMONS, seed: int = 0, scale: float = 2.0, n_hidden: int = 6) -> Clones:
    """Clones of random weights who mostly give something around an aim."""
    torch.manual_seed(seed)
    made = Clones(game, n_hidden=n_hidden)
    for weight in made.network.parameters():
        weight.mul_(scale)
    made.network.output.bias[:] = torch.tensor([0.0, 0.0, -1.0, 2.0, 0.3, -1.5])
    return made


def mechanism(game: Any) -> Any:
    return make_policy(game, "mechanism", "liberal_egalitarian" if game is INVESTMENT else "mixed_offers")


def played(game: Any, groups: int, seed: int = 0, policy: Any = None) -> tuple[Records, ...]:
    rng = np.random.default_rng(seed)
    opening = game.initial_state(groups, rng)
    return recorded_games(game, policy or clones(game), mechanism(game), opening, rng)


@pytest.mark.parametrize("game", [COMMONS, INVESTMENT], ids=["commons", "investment"])
def test_records_are_what_was_played(game: Any) -> None:
    rng, policies = np.random.default_rng(3), {"participant": clones(game), "mechanism": mechanism(game)}
    opening = game.initial_state(8, rng)
    again = np.random.default_rng(5)
    (records,) = recorded_games(game, *policies.values(), opening, np.random.default_rng(5))
    steps = list(rollout(game, policies, opening, again))
    paid = sum(step.rewards["participant"] for step in steps)
    np.testing.assert_allclose(records.payoffs.sum((1, 2)), paid, atol=1e-9)
    given = [step.outcome for step in steps if step.role == "participant"]
    np.testing.assert_array_equal(records.contributions[:, 0], np.stack(given, axis=1))
    assert (records.votes == -1).all() and records.by_round is (game is COMMONS)
    if game is COMMONS:
        pool, left = records.shared["pool"][:, 0], records.payoffs[:, 0].sum(-1)
        held = pool - records.endowments[:, 0].sum(-1) + 1.4 * records.contributions[:, 0].sum(-1)
        np.testing.assert_allclose(pool[:, 0], 24)
        np.testing.assert_allclose(pool[:, 1:], np.minimum(held, 24)[:, :-1], atol=1e-9)
        np.testing.assert_allclose(left, records.endowments[:, 0].sum(-1) - records.contributions[:, 0].sum(-1))


def test_games_of_other_lengths_are_recorded_apart() -> None:
    game = make_game("commons_trust", **SMALL | {"n_rounds": 9}, continuation=0.6, min_rounds=2)
    found = played(game, 40)
    lengths = [records.contributions.shape[2] for records in found]
    assert len(set(lengths)) == len(lengths) > 3 and sum(map(len, found)) == 40 and min(lengths) >= 2
    people = clones(game)
    together, parts = ContributionData.of(found, people), [ContributionData.of(one, people) for one in found]
    assert len(together) == 40 and torch.equal(together.decisions, torch.cat([part.decisions for part in parts]))
    losses = torch.cat([part.losses(people.network, torch.arange(len(part))) for part in parts])
    torch.testing.assert_close(together.losses(people.network, torch.arange(40)), losses)


@pytest.mark.parametrize("game", [COMMONS, INVESTMENT], ids=["commons", "investment"])
def test_playing_gives_the_probabilities_that_the_records_are_fitted_by(game: Any) -> None:
    people, rng = clones(game), np.random.default_rng(0)
    opening = game.initial_state(7, rng)
    (records,) = recorded_games(game, people, mechanism(game), opening, np.random.default_rng(1))
    expected = ContributionData.of(records, people).losses(people.network, torch.arange(7))
    total, at = np.zeros(7), 0
    memory = people.initial_state(7, rng)
    for step in rollout(game, {"participant": people, "mechanism": mechanism(game)}, opening, np.random.default_rng(1)):
        if step.role != "participant":
            continue
        seen, legal = game.observe(step.state, "participant"), game.legal_actions(step.state, "participant")
        found, memory = people.distribution(seen, legal, memory)
        assert np.array_equal(np.isfinite(found), legal)
        np.testing.assert_allclose(np.exp(found).sum(-1), 1, atol=1e-5)
        given = records.contributions[:, 0, at].astype(int)
        total -= np.take_along_axis(found, given[..., None], axis=-1).sum((1, 2))
        at += 1
    np.testing.assert_allclose(total, expected, rtol=1e-4)


def test_forced_choices_do_not_count() -> None:
    (records,) = played(COMMONS, 12)
    people = clones()
    data = ContributionData.of(records, people)
    free = records.endowments >= 1
    np.testing.assert_array_equal(data.decisions, free.sum((1, 2, 3)))
    assert 0 < free.mean() < 1, "the pool runs out in some of the games"
    chosen = people.network.log_likelihood(*(x.flatten(0, 1) for x in (data.features, data.most, data.chosen)))
    free = torch.from_numpy(free.transpose(0, 1, 3, 2).reshape(12 * 4, -1))
    assert float(chosen[~free].abs().max()) < 1e-5, "one choice is certain"
    assert cross_entropy(people, records) == pytest.approx(float(-chosen[free].mean()), rel=1e-5)


def test_an_offer_just_below_a_whole_point_does_not_allow_it() -> None:
    offers = np.full((2, 1, 6, 4), np.nextafter(3.0, 0))
    records = Records(offers, np.full_like(offers, 2), np.zeros_like(offers), np.full((2, 4), -1), _pools(offers))
    assert ContributionData.of(records, clones()).most.unique().tolist() == [2]


def _pools(offers: np.ndarray) -> dict[str, np.ndarray]:
    return {"pool": np.full(offers.shape[:3], 24.0)}


def test_clones_see_themselves_first_and_then_the_seats_in_order() -> None:
    (records,) = played(COMMONS, 3)
    features = ContributionData.of(records, clones()).features.numpy().reshape(3, 4, 6, 9)
    assert features.shape[-1] == 9, "four offers, four returns, the pool"
    for t in range(6):
        for seat in range(4):
            order = [seat, *(other for other in range(4) if other != seat)]
            before = records.contributions[:, 0, t - 1, order] if t else np.zeros((3, 4))
            expected = [records.endowments[:, 0, t, order], before, records.shared["pool"][:, 0, t, None]]
            np.testing.assert_allclose(24 * features[:, seat, t], np.concatenate(expected, axis=1), rtol=1e-6)


def test_torch_and_numpy_agree_and_torch_is_differentiable() -> None:
    people, rng = clones(), np.random.default_rng(0)
    state, *_ = COMMONS.advance(COMMONS.initial_state(3, rng), np.full((3, 4), 6.0), {})
    seen, legal = COMMONS.observe(state, "participant"), COMMONS.legal_actions(state, "participant")
    found, _ = people.distribution(seen, legal, people.initial_state(3, rng))
    obs = torch.tensor(seen, requires_grad=True)
    memory = people.initial_state(3, torch.Generator())
    other, after = people.distribution(obs, torch.tensor(legal), memory)
    np.testing.assert_allclose(found, other.detach().numpy(), rtol=1e-5)
    unmasked, _ = people.distribution(seen, None, people.initial_state(3, rng))
    np.testing.assert_array_equal(unmasked, found)
    other[..., 1].sum().backward()
    assert obs.grad is not None and bool(obs.grad.abs().sum() > 0) and after[0].shape == (3, 4, 6)


def test_clones_are_kept_in_files(tmp_path: Any) -> None:
    people = clones()
    save_policy(tmp_path / "people", people)
    again = load_policy(tmp_path / "people", COMMONS, "participant")
    (records,) = played(COMMONS, 4)
    assert cross_entropy(again, records) == cross_entropy(people, records)
    assert again.settings == {"n_hidden": 6}


def test_fitted_clones_come_close_to_those_who_made_the_data() -> None:
    torch.set_num_threads(1)
    truth = clones(scale=3.0)
    (records,) = played(COMMONS, 400, policy=truth)
    training, held_out = select(records, slice(0, 240)), select(records, slice(240, 400))
    candidates = [Candidate(lambda: Clones(COMMONS, n_hidden=8), {"n_hidden": 8}, 0.0)]
    fitted, report = fit_contributions(training, candidates, Schedule(0.02, 32, 60, 10), seed=0)
    best, found = cross_entropy(truth, held_out), cross_entropy(fitted, held_out)
    free = held_out.endowments >= 1
    anything = float(np.log(np.floor(held_out.endowments[free]) + 1).mean())
    assert best - 0.005 < found < best + 0.05
    assert found < anything - 0.8 * (anything - best)
    assert report["n_hidden"] == 8 and 0 < report["epochs"] <= 60
    assert not any(weight.requires_grad for weight in fitted.network.parameters())


def test_games_whose_behaviour_is_not_recorded_are_refused() -> None:
    for game in (
        make_game("public_investment", mechanism_mode="announce"),
        make_game("commons_trust", preset="experiment_4", mechanism_mode="announce", announce_every="game"),
        make_game("taxed_dilemma"),
    ):
        with pytest.raises(UnsupportedGameError, match="clones need a game whose records of behaviour are declared"):
            Clones(game)
    with pytest.raises(UnsupportedGameError, match="virtual participants need endowments of the whole game"):
        VirtualParticipants(COMMONS, n_linear=8, n_hidden=4)
    with pytest.raises(ParameterError, match="relative is True, allowed: False"):
        VirtualVoters(COMMONS, relative=True)
    with pytest.raises(ParameterError, match="n_hidden"):
        Clones(COMMONS, n_hidden=0)


def test_records_of_another_game_are_refused() -> None:
    (records,) = played(COMMONS, 2)
    constant = Records(records.endowments[:, 0, 0], *(np.zeros((2, 1, 6, 4)),) * 2, records.votes, records.shared)
    for broken, said in (
        (replace(records, shared={}), "pool: is missing, allowed: records with pool"),
        (constant, "endowments: are of the whole game, allowed: of each round"),
        (replace(records, endowments=records.endowments + 24), r"allowed: 0\.\.24"),
    ):
        with pytest.raises(RecordsError, match=said):
            ContributionData.of(broken, clones())


# ---- elections


def elected(groups: int, voters: Any = "experience", seed: int = 0) -> tuple[Election, Any]:
    """An election in the commons between offers in proportion to returns and equal ones."""
    base = {"name": "commons_trust", **SMALL}
    election = Election(base=base, participants=clones(), voters=voters)
    rng = np.random.default_rng(seed)
    mechanisms = [make_policy(election.game, "mechanism", name) for name in ("proportional_offers", "equal_offers")]
    return election, hold(election, mechanisms, election.game.initial_state(groups, rng), rng)


def test_voters_have_lived_through_the_rounds_as_they_were() -> None:
    election, state = elected(10)
    lived, at = election.experience(state), columns(experience_layout(election.game))
    np.testing.assert_allclose(
        lived[..., at["payoffs"]], lived[..., at["offers"]] - lived[..., at["returns"]], atol=1e-9
    )
    np.testing.assert_allclose(lived[..., at["payoffs"]][..., 0].sum(-1).transpose(0, 2, 1), state.earned)
    np.testing.assert_allclose(lived[:, :, :, 0, at["offers"]], 6, err_msg="24 points for four before anybody returned")
    assert (lived[..., at["played"]] == 1).all()


def test_records_of_an_election_are_those_that_its_voters_judge() -> None:
    voting = VirtualVoters(COMMONS)
    torch.manual_seed(0)
    voting.network.linear.weight.copy_(torch.randn_like(voting.network.linear.weight))
    election, state = elected(9, voting)
    (records,) = recorded_election(election, state)
    assert records.contributions.shape == (9, 2, 6, 4)
    np.testing.assert_allclose(records.shared["pool"][:, :, 0], 24)
    np.testing.assert_allclose(records.payoffs.sum(2), state.earned)
    logits = voting.network(VoteData.of(records, voting).features)
    np.testing.assert_allclose(logits.log_softmax(-1), voting.log_probabilities(election.experience(state)), atol=1e-5)
    assert ContributionData.of(records, clones()).features.shape == (9, 8, 6, 9)


def test_voters_of_the_commons_can_be_fitted() -> None:
    """People who vote for what they kept themselves, in points."""
    election, state = elected(300)
    (records,) = recorded_election(election, state)
    odds = np.diff(records.payoffs.sum(2), axis=1)[:, 0] / 4
    votes = (np.random.default_rng(0).random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(int)
    data = VoteData.of(replace(records, votes=votes), voters_of(COMMONS, "largest_endowment"))
    fitted, report = fit_votes({"largest_endowment": data}, COMMONS, (0.001, 0.01), 0)
    truth = float(-np.log(1 / (1 + np.exp(-np.where(votes == 1, odds, -odds)))).mean())
    assert report["held_out"] < truth + 0.1 < np.log(2)
    log_probabilities = fitted.log_probabilities(election.experience(state))
    found = log_probabilities[..., 1] - log_probabilities[..., 0]
    assert np.corrcoef(found.ravel(), odds.ravel())[0, 1] > 0.8


def test_games_of_a_group_that_end_at_different_times_are_recorded_one_by_one() -> None:
    base = {"name": "commons_trust", **SMALL, "continuation": 0.5, "min_rounds": 1}
    election, rng = Election(base=base, participants=clones(), voters="random"), np.random.default_rng(0)
    mechanisms = [mechanism(election.game)] * 2
    state = hold(election, mechanisms, election.game.initial_state(50, rng), rng)
    found = recorded_election(election, state)
    alike = [records for records in found if records.contributions.shape[1] == 2]
    single = [records for records in found if records.contributions.shape[1] == 1]
    assert sum(map(len, alike)) + sum(map(len, single)) / 2 == 50 and alike and single
    assert all((records.votes == -1).all() for records in single)
    assert all((records.votes >= 0).all() for records in alike)
    earned = sum(records.payoffs.sum() for records in found)
    assert earned == pytest.approx(state.earned.sum())


def test_drawn_choices_have_the_probabilities_that_are_claimed() -> None:
    people, rng = clones(), np.random.default_rng(0)
    state, *_ = COMMONS.advance(COMMONS.initial_state(20_000, rng), np.full((20_000, 4), 5.5), {})
    logs, _ = people.distribution(COMMONS.observe(state, "participant"), None, people.initial_state(20_000, rng))
    drawn = draw_discrete(logs, rng)[:, 0]
    counts = np.bincount(drawn, minlength=25) / 20_000
    assert counts[6:].sum() == 0
    np.testing.assert_allclose(counts, np.exp(logs[0, 0]), atol=5 * 0.5 / np.sqrt(20_000))


def test_drawn_points_and_fractions_are_of_one_distribution() -> None:
    people, smooth, games = clones(), clones(replace(COMMONS, integer_returns=False)), 20_000
    state, *_ = COMMONS.advance(COMMONS.initial_state(games, np.random.default_rng(0)), np.full((games, 4), 5.5), {})
    seen, start = COMMONS.observe(state, "participant"), people.initial_state(games, np.random.default_rng(0))
    legal = COMMONS.legal_actions(state, "participant")
    drawn, after = people.act(seen, legal, start, np.random.default_rng(1))
    logs, _ = people.distribution(seen, legal, start)
    counts = np.bincount(drawn[:, 0], minlength=25) / games
    np.testing.assert_allclose(counts, np.exp(logs[0, 0]), atol=5 * 0.5 / np.sqrt(games))
    fractions, same = smooth.act(seen, None, start, np.random.default_rng(1))
    assert fractions.shape == (games, 4, 1) and (after[0] == same[0]).all()
    np.testing.assert_array_equal(np.minimum(np.floor(6 * fractions[..., 0]), 5), drawn)
    moments, _ = smooth.distribution(seen, None, start)
    mean, std = moments[0, 0, :, 0]
    assert fractions[:, 0].mean() == pytest.approx(mean, abs=5 * std / np.sqrt(games))
    assert fractions[:, 0].std() == pytest.approx(std, rel=0.05)


def test_fractions_of_clones_are_differentiable_in_what_they_see_and_remember() -> None:
    people = clones(replace(COMMONS, integer_returns=False))
    people.network.double()
    obs = torch.rand((2, 4, 13), dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 6
    memory = torch.zeros((2, 4, 6), dtype=torch.float64)

    def drawn(obs: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        found, (after,) = people.fractions(obs, (memory,))
        return found.aims.sum() + found.noise.sum() + found.log_weight(torch.full((2, 4), 0.9)).sum() + after.sum()

    assert torch.autograd.gradcheck(drawn, (obs.requires_grad_(), memory.requires_grad_()))


def test_of_stages_of_a_fit_those_of_least_error_are_kept() -> None:
    records, seen = played(COMMONS, 30), []
    errors = iter([3.0, 1.0, 2.0, 1.0, 5.0])

    def error(people: Clones) -> float:
        seen.append({name: value.clone() for name, value in people.network.state_dict().items()})
        return next(errors)

    candidates = [Candidate(lambda: Clones(COMMONS, n_hidden=3), {"n_hidden": 3}, 0.0)]
    schedule = Schedule(0.003, 16, 10, 10)
    plain, report = fit_contributions(records, candidates, schedule, seed=0)
    assert report["epochs"] == 10 and "kept" not in report
    kept, chosen = fit_contributions(records, candidates, schedule, 0, error)
    assert len(seen) == 5 and (chosen["kept"], chosen["error"]) == (7, 1.0), "after 6, 7, 8, 9 and 10 epochs"
    for name, value in kept.network.state_dict().items():
        assert torch.equal(value, seen[1][name])
        assert torch.equal(plain.network.state_dict()[name], seen[4][name])
    assert chosen["fitted"] == pytest.approx(cross_entropy(kept, records[0]), rel=1e-6)
