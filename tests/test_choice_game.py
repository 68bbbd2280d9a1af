"""The family of choice games: lotteries, payments, measures, ballots of a menu, and audits that try all of them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations, product

import numpy as np
import pytest
import torch

from lawgiver.agents.mechanisms import Announcement
from lawgiver.agents.reporting import DirectMechanism, Truthful
from lawgiver.envs.core.arrays import constant, floats, namespace, softmax
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import ActionError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.fields import Field
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.families.choice_game import ChoiceGame, agreement, condorcet_winner, lottery_of
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.solvers.social_choice.profiles import positions
from lawgiver.testing import check_game
from lawgiver.trainers.audit import audit_game
from lawgiver.trainers.audit.result import who_gain
from lawgiver.trainers.cli.printed_tables import show_audit

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
        below = self.m - 1 - positions(reports)
        return self.low + (1 - self.low) * floats(below, reports) / (self.m - 1)

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
        return self.game.joined(softmax(7 * namespace(reports).sum(reports**3, axis=1)))


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


# -- audits that try the whole menu ------------------------------------------------------------------------------

PLURALITY, BORDA = Announcement([0.0]), Announcement([1.0])


def every_profile(n, m):
    """All (m!)^n profiles of rankings, as equally spaced utilities."""
    menu = Ballots(m=m).menu()
    return menu[np.array(list(product(range(len(menu)), repeat=n)))]


class Dictator(DirectMechanism):
    """Chooses what the first participant likes best."""

    def decision(self, reports):
        return (reports[:, 0] == reports[:, 0].max(-1, keepdims=True)).astype(float)


class AtRandom(DirectMechanism):
    """Chooses something by luck."""

    def decision(self, reports):
        return np.eye(3)[RNG.integers(0, 3, len(reports))]


@pytest.mark.parametrize(
    ("rule", "n", "manipulable", "voter", "gain"),
    [
        (PLURALITY, 3, Fraction(36, 216), 0.0741, 0.0370),
        (BORDA, 3, Fraction(51, 216), 0.0926, 0.0463),
        (PLURALITY, 4, Fraction(240, 1296), 0.0556, 0.0278),
        (BORDA, 4, Fraction(402, 1296), 0.1227, 0.0613),
    ],
)
def test_the_share_of_manipulable_profiles_is_the_known_one(rule, n, manipulable, voter, gain):
    game = Ballots(n=n, mechanism_mode="announce")
    found = audit_game(game, rule, every_profile(n, 3))
    assert found.exact and list(found.regrets) == ["utility"]
    told = found.data()["groups"]["utility"]
    assert told["who_gain"]["profiles"].mean == pytest.approx(float(manipulable), abs=1e-15)
    assert told["who_gain"]["participants"].mean == pytest.approx(voter, abs=5e-5)
    assert told["absolute"]["mean"].mean == pytest.approx(gain, abs=5e-5)
    assert told["doubling"] == {"absolute": 0, "relative": 0}


def test_what_is_found_is_the_best_of_all_ballots_tried_one_by_one():
    game = Ballots(n=2, m=3)
    types = game.initial_state(6, np.random.default_rng(1)).types
    rule, menu = Tops(game), game.menu()
    found = audit_game(game, rule, types, chunk=7)
    truth = play_out(game, rule, types, types)
    for profile, seat in np.ndindex(6, 2):
        gains, regrets = [], []
        order = np.argsort(-types[profile, seat])
        for ballot in menu:
            reports = types[profile : profile + 1].copy()
            reports[0, seat] = ballot
            done = play_out(game, rule, types[profile : profile + 1], reports)
            gains.append(done.utilities[0, seat] - truth.utilities[profile, seat])
            rise = np.cumsum((done.lottery[0] - truth.lottery[profile])[order])[:-1]
            regrets.append(max(0.0, rise.max()))
        assert found.joint.gains[profile, seat] == pytest.approx(max(gains), abs=1e-12)
        assert found.ordinal.gains[profile, seat] == pytest.approx(max(regrets), abs=1e-12)
        if max(gains) > 1e-9:
            assert np.array_equal(found.joint.reports[profile, seat], menu[np.argmax(gains)])
    assert found.tried == 6 * 2 * 5 and found.ordinal.tried == found.tried
    assert (found.ordinal.gains >= found.joint.gains - 1e-12).all(), "utilities in [0, 1] gain no more than the regret"
    other = audit_game(game, rule, types, chunk=1000)
    assert np.array_equal(other.joint.gains, found.joint.gains) and np.array_equal(
        other.ordinal.gains, found.ordinal.gains
    )


def test_nobody_gains_under_a_dictator_and_that_is_told_as_a_fact(capsys):
    game = Ballots(n=3, m=3)
    types = game.initial_state(20, np.random.default_rng(0)).types
    found = audit_game(game, Dictator(game), types)
    data = found.data()
    assert data["exact"] and data["menu"] == {"size": 6, "noun": "ballots"} and data["effort"] is None
    assert data["misreports_tried"] == 20 * 3 * 5
    assert found.largest_gain == 0 and data["ordinal"]["regret"]["max"] == 0
    none = data["groups"]["utility"]["who_gain"]["profiles"]
    assert (none.mean, none.low, none.how) == (0, 0, "wilson") and none.high == pytest.approx(0.161, abs=1e-3)
    show_audit(data)
    shown = " ".join(capsys.readouterr().out.split())
    assert "no profitable misreport exists among all 6 ballots, for any participant in 20 profiles" in shown
    assert "all 6 ballots of every participant were tried" in shown and "effort" not in shown
    assert (
        "ordinal: no utility function with these rankings gains by any of the 6 ballots, for any participant in 20"
        " profiles (regret up to 1e-06 counts as none)"
    ) in shown
    assert shown.count("0, up to 0.16 0, up to 0.16") == 2 and "with the end of their 95 % interval" in shown


def test_shares_of_which_no_error_is_known_are_printed_with_their_bounds(capsys):
    game = Ballots(n=2, m=2)
    data = audit_game(game, Dictator(game), game.initial_state(5, np.random.default_rng(0)).types).data()
    data["ordinal"]["who_gain"] = who_gain(np.ones((100, 2)), 0)
    data["groups"]["utility"]["who_gain"] = who_gain(np.tile([0.0, 1.0], (100, 1)), 0.5)
    show_audit(data)
    shown = " ".join(capsys.readouterr().out.split())
    assert "1, at least 0.96 1, at least 0.96" in shown, "everybody gains in each of 100 profiles"
    assert "0.5 ±0 1, at least 0.96" in shown, "one of two in each"


def test_the_worst_example_of_both_kinds_is_told(capsys, tmp_path):
    game = Ballots(n=3, mechanism_mode="announce")
    found = audit_game(game, BORDA, every_profile(3, 3))
    data = found.data()
    assert set(data["ordinal"]["worst"]) == {"participant", "types", "report", "regret"}
    assert data["ordinal"]["regret"]["mean"].mean == pytest.approx(0.0926, abs=5e-5)  # lotteries are certain
    assert data["ordinal"]["who_gain"]["profiles"].mean == data["groups"]["utility"]["who_gain"]["profiles"].mean
    show_audit(data)
    shown = " ".join(capsys.readouterr().out.split())
    assert "no utility function" not in shown
    assert "worst example" in shown and "dominance" in shown and "not to be compared with gains in payoffs" in shown
    written = {file.name for file in found.save(tmp_path)}
    assert written == {"audit.json", "gains.png"}


def test_a_menu_that_is_too_large_is_searched_and_the_audit_says_why(capsys):
    game = Ballots(n=2, m=6)
    types = game.initial_state(4, np.random.default_rng(0)).types
    found = audit_game(game, Dictator(game), types, effort=1, gradient=False)
    data = found.data()
    assert not data["exact"] and data["menu"] is None and data["ordinal"] is None
    assert data["inexact_because"] == "there are 720 or more" and found.largest_gain < 1e-12
    show_audit(data)
    shown = capsys.readouterr().out
    assert "searched, not exact: there are 720 or more" in shown and "no profitable misreport above" in shown


def test_reports_that_are_read_as_they_are_are_searched():
    game = Charging(n=2, m=2)
    types = game.initial_state(5, np.random.default_rng(0)).types
    data = audit_game(game, Tops(game), types, effort=1, gradient=False).data()
    assert not data["exact"] and data["inexact_because"] is None and data["ordinal"] is None
    assert data["groups"]["utility"]["absolute"]["mean"].mean > 0
    share = data["groups"]["utility"]["who_gain"]
    assert 0 < share["participants"].mean <= share["profiles"].mean <= 1


def test_what_cannot_be_audited_exactly_is_refused():
    game = Ballots()
    types = game.initial_state(4, np.random.default_rng(0)).types
    with pytest.raises(UnsupportedGameError, match="draws at random"):
        audit_game(game, AtRandom(game), np.tile(types, (10, 1, 1)))
    with pytest.raises(ParameterError, match=r"types have shape \(1, 3, 3\)"):
        audit_game(game, Dictator(game), types[:1])
    with pytest.raises(ParameterError, match="some types lie outside their fields utility"):
        audit_game(game, Dictator(game), types + 1)
    for option in ({"effort": 0}, {"chunk": 0}, {"seed": -1}):
        with pytest.raises(ParameterError):
            audit_game(game, Dictator(game), types, **option)


def test_a_single_ballot_leaves_nothing_to_misreport():
    class One(Ballots):
        def read(self, reports):
            return 0 * reports

        def menu(self):
            return np.zeros((1, self.m))

    game = One()
    found = audit_game(game, Fixed(game, [[1, 0, 0]]), game.initial_state(3, np.random.default_rng(0)).types)
    assert found.exact and found.tried == 0 and found.largest_gain == 0
