"""The family of choice games: lotteries, payments, measures, and reports that are read as one of a menu."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import pytest
import torch

from lawgiver.agents.reporting import DirectMechanism, Truthful
from lawgiver.envs.core.arrays import constant, namespace, softmax
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import ActionError, UnsupportedGameError
from lawgiver.envs.core.fields import Field
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.families.choice_game import ChoiceGame, agreement, condorcet_winner, lottery_of
from lawgiver.envs.families.play_out import play_out
from lawgiver.testing import check_game

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Ballots(ChoiceGame):
    """A vote on ``m`` alternatives, by rankings; announced is the share of Borda's rule, else plurality's."""

    n: int = 3
    objective: str = "welfare"
    mechanism_mode: str = "allocate"
    m: int = 3
    low: float = 0.0
    ranked: bool = True

    name = "ballots-v0"
    summary = "votes"
    reference = "none"
    menu_noun = "ballots"

    def __post_init__(self):
        self.check_choices()

    @property
    def utility_low(self):
        return self.low

    def types_of(self, draws):
        return self.low + (1 - self.low) * draws

    def rule_layout(self):
        return (Field("borda", 1, 0.0, 1.0, "share", "of Borda's rule"),)

    def read(self, reports):
        if not self.ranked:
            return reports
        xp = namespace(reports)
        below = xp.sum(reports[..., :, None] > reports[..., None, :], axis=-1)
        return self.low + (1 - self.low) * xp.astype(below, reports.dtype) / (self.m - 1)

    def menu(self):
        if not self.ranked or self.menu_absence:
            return None
        return np.array(
            [[self.low + (1 - self.low) * x / (self.m - 1) for x in p] for p in permutations(range(self.m))]
        )

    @property
    def menu_absence(self):
        return "there are 720 or more" if self.ranked and self.m > 5 else ""

    @property
    def ordinal_menu(self):
        return self.ranked

    def decide(self, parameters, reports):
        xp = namespace(reports)
        points = (reports - self.low) / (1 - self.low)
        tops = xp.astype(points == 1, reports.dtype)

        def first(score):
            return xp.astype(xp.argmax(score, axis=-1)[:, None] == constant(np.arange(self.m), score), score.dtype)

        borda, plurality = first(xp.sum(points, axis=1)), first(xp.sum(tops, axis=1))
        return self.joined(parameters * borda + (1 - parameters) * plurality)


@dataclass(frozen=True)
class Charging(Ballots):
    """The same, in which participants may be made to pay."""

    ranked: bool = False
    name = "charging-v0"
    charges = True


class Fixed(DirectMechanism):
    """Chooses what it is given, whatever is reported."""

    def __init__(self, game, decision):
        super().__init__(game)
        self.given = np.asarray(decision, float)

    def decision(self, reports):
        given = constant(self.given, reports)
        return namespace(reports).broadcast_to(given, (reports.shape[0], given.shape[-1]))


class Tops(DirectMechanism):
    """Chooses by how high everything is reported, which depends on all that is seen."""

    def decision(self, reports):
        return softmax(7 * namespace(reports).sum(reports**3, axis=1))


def drawn(game, batch=50, seed=0):
    return game.initial_state(batch, np.random.default_rng(seed)).types


@pytest.mark.parametrize(
    "game", [Ballots(), Ballots(mechanism_mode="announce", objective="nash"), Charging(low=-2.0, objective="agreement")]
)
def test_a_game_of_the_family_keeps_to_all_contracts(game):
    check_game(game)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("game", [Ballots(m=4), Charging(m=4)])
def test_an_action_is_a_lottery_and_back(game, backend):
    lottery = RNG.dirichlet(np.full(4, 0.3), 200)
    lottery[:3] = np.eye(4)[:3]  # exact zeros have logits with an end
    lottery[3] = [0.5, 0.5, 0, 0]
    payments = RNG.uniform(-1, 1, (200, 3)) if game.charges else None
    sent = game.joined(lottery, payments)
    given = sent if backend == "numpy" else torch.as_tensor(sent)
    action = game.action_of(given)
    low, high = game.action_bounds("mechanism")
    assert ((np.asarray(action) >= low) & (np.asarray(action) <= high)).all()
    assert np.asarray(game.decision(action)) == pytest.approx(sent, abs=1e-8)
    found, paid = game.split_decision(given)
    assert np.array_equal(found, lottery) and np.array_equal(paid, np.zeros((200, 3)) if payments is None else payments)


def test_logits_and_payments_beyond_what_can_be_sent_are_sent_as_the_nearest():
    game = Charging(n=2, m=2)
    action = game.action_of(np.array([[1.0, 0.0, 50.0, -50.0]]))
    assert action == pytest.approx(np.array([[10, -10, 2, -2]]))
    assert game.joined(np.array([[1.0, 0.0]])) == pytest.approx(np.array([[1, 0, 0, 0]]))


def test_participants_are_paid_what_the_lottery_is_worth_less_what_they_pay():
    game, types = Charging(n=2, m=3, low=-1.0), np.array([[[1.0, 0.5, -1.0], [0.0, 1.0, 0.5]]])
    done = play_out(game, Fixed(game, [[0.5, 0.25, 0.25, 0.1, -0.3]]), types, types)
    assert done.utilities == pytest.approx(np.array([[0.375, 0.375]]))
    assert done.payoffs == pytest.approx(np.array([[0.275, 0.675]]))
    assert game.deficit(done) == pytest.approx([0.2])
    assert done.lottery == pytest.approx(np.array([[0.5, 0.25, 0.25]])) and lottery_of(done) is done.lottery
    assert set(game.infos(done)) == {"lottery", "utilities", "payments"}
    shown = game.picture(done, 0)
    assert [float(shown[f"probability {j}"][0]) for j in (1, 2, 3)] == [0.5, 0.25, 0.25]
    assert shown["payments"] == pytest.approx([0.1, -0.3])
    free = Ballots(n=2)
    shown = free.picture(play_out(free, Fixed(free, [[0, 1, 0]]), (types + 1) / 2, types), 0)
    assert not {"payments", "revenue"} & set(shown) and shown["probability 2"] == [1.0]
    assert game.envy(done) is None


def test_measures_are_of_true_utilities():
    types = np.array([[[0.9, 0.4, 0.0], [0.1, 0.6, 0.3], [0.0, 0.5, 1.0]]])
    expected = {"welfare": 0.5, "least": 0.4, "nash": (0.4 * 0.6 * 0.5) ** (1 / 3), "agreement": 1.0}
    for name, value in expected.items():
        game = Ballots(objective=name)
        rewards = rollout(
            game,
            {"participant": Truthful(game), "mechanism": Fixed(game, [[0, 1, 0]])},
            game.initial_state_from(types),
            np.random.default_rng(0),
        )
        last = list(rewards)[-1]
        assert last.rewards["mechanism"] == pytest.approx(np.array([[value]]))
        assert set(game.measures()) == set(expected)
        assert game.measures()[name](last.after) == pytest.approx([value])
    foreign = Ballots(objective="log_nash_welfare")
    assert set(foreign.measures()) == {"log_nash_welfare", *expected}


def test_the_geometric_mean_is_above_the_least_utility_and_has_a_gradient_at_none():
    game = Ballots(n=2, m=2, low=-1.0, objective="nash")
    types = torch.tensor(
        [[[-1.0, 0.0], [1.0, 0.5]], [[-1.0, 0.0], [1.0, 1.0]]], dtype=torch.float64, requires_grad=True
    )
    decision = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64, requires_grad=True)
    nash = game.own_measure(game.settle(game.initial_state_from(types), decision))
    assert nash.tolist() == pytest.approx([0.0, 2**0.5])
    nash.sum().backward()
    assert torch.isfinite(types.grad).all() and torch.isfinite(decision.grad).all()


def test_a_condorcet_winner_beats_all_others_strictly():
    cycle = [[3, 2, 1], [1, 3, 2], [2, 1, 3]]
    unanimous = [[3, 1, 2], [3, 2, 1], [3, 1, 2]]
    tied = [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    majority = [[1, 3, 0], [2, 3, 0], [3, 0, 1]]
    types = np.array([cycle, unanimous, tied, majority], float)
    expected = [[0, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert condorcet_winner(types).tolist() == expected
    assert condorcet_winner(torch.as_tensor(types)).tolist() == expected
    game = Ballots(low=0.0)
    done = game.settle(game.initial_state_from(types), np.tile([0.5, 0.25, 0.25], (4, 1)))
    assert agreement(done).tolist() == [1, 0.5, 1, 0.25]


def test_the_chance_of_a_condorcet_winner_follows_from_agreement():
    """17 of 18 random elections of three voters over three alternatives have one; plurality elects 88.24 % of them."""
    game = Ballots(mechanism_mode="announce")
    types = np.array([[order[v] for v in votes] for order in [list(permutations([0.0, 0.5, 1.0]))] for votes in
                      np.ndindex(6, 6, 6)])  # fmt: skip
    done = game.settle(game.initial_state_from(types), game.decide(np.zeros((216, 1)), types))
    share, mean = condorcet_winner(types).sum(-1).mean(), agreement(done).mean()
    assert share == pytest.approx(17 / 18)
    assert 1 - (1 - mean) / share == pytest.approx(0.8824, abs=5e-5)


def test_lotteries_and_rules_that_are_none_are_refused():
    game = Ballots()
    for lottery, what in [([0.5, 0.5, 0.5], "sum to 1 but for 0.5"), ([1.5, -0.5, 0.0], "a probability of -0.5")]:
        with pytest.raises(ActionError, match=what):
            check_policy(game, "mechanism", Fixed(game, [lottery]))
    announcing = Ballots(mechanism_mode="announce")
    state = announcing.initial_state(1, np.random.default_rng(0))
    assert announcing.outcome_error(state, np.array([[1.5]])) == "has 1.5 as borda, allowed: a number in [0, 1]"
    assert announcing.outcome_error(state, np.array([[1.0]])) is None


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_no_mechanism_sees_more_of_a_report_than_the_ballot_it_is_read_as(backend):
    game = Ballots(m=4)
    types = drawn(game)
    menu = game.menu()
    assert menu.shape == (24, 4) and np.array_equal(game.read(menu), menu)
    assert np.array_equal(game.honest_choice(menu), np.arange(24))
    convert = np.asarray if backend == "numpy" else torch.as_tensor
    ballots = menu[np.asarray(game.honest_choice(convert(types)))]
    assert np.array_equal(np.argsort(ballots), np.argsort(types))
    by_numbers, by_ballots = (play_out(game, Tops(game), convert(types), convert(x)) for x in (types, ballots))
    assert np.array_equal(by_numbers.lottery, by_ballots.lottery)
    assert np.array_equal(by_numbers.reports, ballots)
    unread = Ballots(m=4, ranked=False)
    assert not np.allclose(play_out(unread, Tops(unread), types, types).lottery, by_numbers.lottery)


def test_a_game_without_a_menu_says_why():
    with pytest.raises(UnsupportedGameError, match=r"ballots-v0 has no menu of ballots: there are 720 or more"):
        Ballots(m=6).honest_choice(np.zeros((2, 3, 6)))
    with pytest.raises(UnsupportedGameError, match="it reads reports as they are"):
        Charging().honest_choice(np.zeros((2, 3, 3)))
