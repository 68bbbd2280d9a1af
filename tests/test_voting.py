"""The game of voting: ballots, rules by name, the announced family, votes of a file, and voters who compromise."""

from __future__ import annotations

import re
from itertools import permutations
from math import factorial
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from lawgiver.agents.mechanisms import Announcement
from lawgiver.agents.voting import Compromise
from lawgiver.envs.core.errors import ActionError, LawgiverError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.families.choice_game import lottery_of
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.files.vote_files import read_votes
from lawgiver.envs.solvers.social_choice.profiles import positions
from lawgiver.envs.solvers.social_choice.rules import RULES, lottery
from lawgiver.envs.voting.ballots import BALLOTS
from lawgiver.envs.voting.record import save_ballots
from lawgiver.trainers.cli import app

VOTES = Path(__file__).parent / "data" / "votes"


def game_of(**params):
    return make_game("voting", **params)


def drawn(game, batch=50, seed=0):
    return game.initial_state(batch, np.random.default_rng(seed)).types


def mechanism(game, name, **params):
    return make_policy(game, "mechanism", {"policy": name, **params})


# -- ballots ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ballot", "read"),
    [
        ("ranking", [0.0, 1.0, 2 / 3, 1 / 3]),
        ("approval", [0.0, 1.0, 1.0, 0.0]),
        ("plurality", [0.0, 1.0, 0.0, 0.0]),
        ("score", [0.2, 0.9, 0.9, 0.5]),
    ],
)
def test_a_ballot_tells_no_more_than_its_kind(ballot, read):
    game, report = game_of(m=4, ballot=ballot), np.array([0.2, 0.9, 0.9, 0.5])
    assert np.allclose(game.read(report), read) and np.array_equal(game.read(game.read(report)), game.read(report))
    assert np.allclose(game.read(torch.from_numpy(report)).numpy(), read)
    done = play_out(game, mechanism(game, "random_dictator" if ballot != "approval" else "approval"),
                    drawn(game, 1), np.tile(report, (1, 5, 1)))  # fmt: skip
    assert np.allclose(done.reports, read)


@pytest.mark.parametrize("ballot", BALLOTS)
def test_all_ballots_are_listed_once_and_are_read_as_themselves(ballot):
    counts = {"ranking": factorial, "approval": lambda m: 2**m, "plurality": lambda m: m}
    for m in (2, 3, 5):
        game = game_of(m=m, ballot=ballot)
        menu = game.menu()
        if ballot == "score":
            assert menu is None and game.menu_absence == ""
            continue
        assert menu.shape == (counts[ballot](m), m) == np.unique(menu, axis=0).shape
        assert np.array_equal(game.read(menu), menu)
        reports = np.random.default_rng(0).random((200, m))
        honest = game.honest_choice(reports)
        assert np.array_equal(menu[honest], game.read(reports))
    assert game_of(m=6).menu() is None and "6! ballots" in game_of(m=6).menu_absence
    assert "2^11 ballots" in game_of(m=11, ballot="approval").menu_absence


# -- rules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_rules_by_name_decide_by_the_ballots(name):
    game = game_of(n=7, m=4, ballot="score", ties="first")
    types = drawn(game)
    done = play_out(game, mechanism(game, name), types, types)
    reads = RULES[name].reads
    ballots = types if reads == "score" else types > 0.5 if reads == "approval" else positions(types)
    chosen = lottery_of(done)
    assert np.array_equal(chosen, lottery(name, ballots, ties="first")) and np.allclose(chosen.sum(-1), 1)
    assert np.allclose(done.utilities, (types * chosen[:, None]).sum(-1)) and not done.payments.any()
    as_torch = play_out(game, mechanism(game, name), *2 * (torch.from_numpy(types),))
    assert np.allclose(lottery_of(as_torch).numpy(), chosen, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "name", "told"),
    [
        ({"ballot": "approval"}, "borda", "voting-v0 with ballot='approval', which does not tell rankings; allowed"),
        ({"ballot": "plurality"}, "irv", "with ballot='plurality', which does not tell rankings; allowed: median,"
         " plurality, random_dictator"),
        ({"ballot": "ranking"}, "score", "with ballot='ranking', which does not tell scores"),
        ({"ballot": "approval"}, "plurality", "which does not tell favourites"),
        ({"m": 7}, "kemeny", "with m=7, more than the 6 alternatives that it can rank"),
        ({"mechanism_mode": "announce"}, "irv", "with mechanism_mode='announce', which gives points by place; allowed:"
         " anti_plurality, borda, plurality, random_dictator"),
        ({}, "vcg", "'vcg' is not a rule of voting-v0; allowed: anti_plurality, black, borda"),
        ({}, "water_filling", "shares divisible resources"),
    ],
)  # fmt: skip
def test_a_rule_that_the_ballots_do_not_serve_is_refused(params, name, told):
    with pytest.raises(UnsupportedGameError, match=told):
        mechanism(game_of(**params), name)


def test_other_games_know_no_voting_rules():
    with pytest.raises(
        UnsupportedGameError, match="'borda' decides by what is reported; public_investment-v0 knows no"
    ):
        mechanism(make_game("public_investment"), "borda")


@pytest.mark.parametrize("m", [2, 3, 5])
@pytest.mark.parametrize("ballot", ["ranking", "score"])
def test_members_of_the_announced_family_are_the_known_rules(m, ballot):
    game = game_of(n=6, m=m, mechanism_mode="announce", ballot=ballot)
    direct, types = game_of(n=6, m=m, ballot=ballot), drawn(game)
    assert list(game.members) == ["plurality", "borda", "anti_plurality", "random_dictator"]
    for name, parameters in game.members.items():
        assert len(parameters) == m - 1
        announced = play_out(game, mechanism(game, name), types, types)
        assert np.allclose(lottery_of(announced), lottery_of(play_out(direct, mechanism(direct, name), types, types)))
    half = play_out(game, mechanism(game, "rule", parameters=[*game.members["borda"][:-1], 0.25]), types, types)
    parts = [lottery_of(play_out(game, mechanism(game, name), types, types)) for name in ("random_dictator", "borda")]
    assert np.allclose(lottery_of(half), 0.25 * parts[0] + 0.75 * parts[1])


def test_what_cannot_be_announced_is_refused():
    with pytest.raises(
        ParameterError, match="approval ballots do not tell the places that its points are for, allowed"
    ):
        game_of(ballot="approval", mechanism_mode="announce")
    game = game_of(mechanism_mode="announce")
    with pytest.raises(ParameterError, match=r"dictator in parameters is 1.5, allowed: a number in \[0"):
        mechanism(game, "rule", parameters=[0.5, 1.5])
    with pytest.raises(ActionError, match="outside"):
        play_out(game, Announcement([0.5, 2.0]), drawn(game, 1), drawn(game, 1))


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"m": 1}, "m is 1, allowed: an integer in 2..100"),
        ({"n": 0}, "n is 0, allowed: an integer in 1..1,000"),
        ({"n": 1000, "m": 11}, "1,000 voters and 11 alternatives make 11,000 numbers, allowed: 10,000; take m up to"),
        ({"ballot": "shouting"}, "ballot is 'shouting': allowed: approval, plurality, ranking, score"),
        ({"culture": "impartal"}, "culture is 'impartal': did you mean 'impartial'?"),
        ({"ties": "coin"}, "ties is 'coin': allowed: first, share"),
        ({"objective": "fame"}, "fame"),
        ({"phi": 1.5}, r"phi is 1.5, allowed: a number in \[0, 1\]"),
        ({"alpha": -1}, "alpha is -1"),
        ({"approving": "all"}, "approving is 'all'"),
        ({"dimensions": 0}, "dimensions is 0, allowed: an integer in 1..10"),
        ({"log_weights": [1, 2]}, "log_weights has 2 numbers, allowed: 3, one for each alternative"),
        ({"log_weights": [1, 2, 99]}, r"log_weights\[2\] is 99"),
        ({"culture": "table"}, "votes_file is None and culture is 'table', allowed: the path of a file"),
        ({"votes_file": str(VOTES / "lunch.soc")}, "culture is 'impartial', allowed: None, or culture='table'"),
        ({"culture": "table", "votes_file": 3}, "votes_file is 3, allowed: the path of a .soc"),
        ({"culture": "table", "votes_file": "nowhere.soc"}, "'nowhere.soc' cannot be read: No such file"),
        ({"culture": "table", "m": 5, "votes_file": str(VOTES / "lunch.soc")}, "m is 5, but .*lunch.soc' has 3 "
         "alternatives, allowed: m=3"),
    ],
)  # fmt: skip
def test_bad_parameters_are_refused_in_one_line(params, told):
    with pytest.raises(LawgiverError, match=told) as error:
        game_of(**params)
    assert "\n" not in str(error.value)


# -- files --------------------------------------------------------------------------------------------------------


def test_a_played_election_is_saved_and_played_again(tmp_path):
    game = game_of(n=200, culture="table", votes_file=VOTES / "lunch.soc")
    types = drawn(game, 3)
    done = play_out(game, mechanism(game, "borda"), types, types)
    save_ballots(tmp_path / "played.soc", game, done.reports[0], title="Lunch")
    votes = read_votes(tmp_path / "played.soc")
    assert votes.counts.sum() == 200 and votes.alternatives == game.votes.alternatives
    told = np.repeat(votes.levels, votes.counts, axis=0)
    cast = positions(done.reports[0])
    assert np.array_equal(told[np.lexsort(told.T)], cast[np.lexsort(cast.T)])
    again = game_of(n=3, culture="table", votes_file=tmp_path / "played.soc")
    assert np.allclose(lottery("borda", votes.levels[None], votes.counts[None].astype(float)), lottery_of(done)[:1])
    assert drawn(again).shape == (50, 3, 3)
    save_ballots(tmp_path / "all.soc", game, torch.from_numpy(done.reports))
    assert read_votes(tmp_path / "all.soc").counts.sum() == 600
    with pytest.raises(UnsupportedGameError, match="which approval ballots of voting-v0 do not tell"):
        save_ballots(tmp_path / "none.soc", game_of(ballot="approval"), done.reports)


# -- compromise ---------------------------------------------------------------------------------------------------


def test_voters_give_up_a_candidate_without_a_chance():
    hopeless = {"n": 9, "culture": "plackett_luce", "log_weights": [1.0, 1.0, -4.0]}
    game = game_of(**hopeless, mechanism_mode="announce")
    policies = {
        "mechanism": mechanism(game, "plurality"),
        "participant": make_policy(game, "participant", "compromise"),
    }
    *_, last = rollout(game, policies, game.initial_state(100, np.random.default_rng(0)), np.random.default_rng(0))
    types, cast = last.after.types, positions(last.after.reports)
    fans = types.argmax(-1) == 2
    close = types[..., 2] - types[..., :2].max(-1) < 0.2
    assert fans.any() and (cast[..., 2][fans & close] > 0).all()
    assert np.array_equal(cast[~fans], positions(types)[~fans])  # others tell the truth
    second = types[..., :2].argmax(-1)
    assert (np.take_along_axis(cast, second[..., None], -1)[..., 0][fans & close] == 0).all()


@pytest.mark.parametrize(
    ("params", "rule"),
    [
        ({"n": 4, "ballot": "approval", "culture": "mallows"}, "approval"),
        ({"n": 3, "culture": "single_peaked"}, "borda"),
        ({"n": 1, "ballot": "plurality"}, "plurality"),
    ],
)
def test_the_ballot_is_the_best_of_all_in_the_elections_that_were_drawn(params, rule):
    game = game_of(**params)
    policy = make_policy(game, "participant", {"policy": "compromise", "rule": rule, "samples": 40})
    assert isinstance(policy, Compromise)
    types = drawn(game, 3, seed=5)
    state = game.initial_state_from(types)
    cast, _ = policy.act(game.observe(state, "participant"), None, None, None)
    draws = game.draw_initial(40, np.random.default_rng(0))["types"]
    for b in range(3):
        voters = game.types_of(draws)
        if game.public_layout():
            places = np.broadcast_to(types[b, :1, 3:].reshape(1, 3, 1), (40, 3, 1))
            voters = game.types_near(places, draws)
        others = game.read(game.private(voters))[:, 1:]
        for i in range(game.n):
            worth = []
            for ballot in game.menu():
                reports = np.concatenate([np.tile(ballot, (40, 1, 1)), others], axis=1)
                worth.append(float((game.direct_rules[rule](reports) @ types[b, i, :3]).mean()))
            best = worth[int(game.honest_choice(cast[b, i]))]
            assert best >= max(worth) - 1e-9
            if worth[int(game.honest_choice(types[b, i, :3]))] >= max(worth) - 1e-9:
                assert np.array_equal(cast[b, i], game.read(types[b, i, :3]))


@pytest.mark.parametrize(
    ("game", "params", "told"),
    [
        ({}, {}, "needs the name of the rule that it expects, as voting-v0 announces none: rule is None: allowed: "),
        ({}, {"rule": "bordo"}, "rule is 'bordo': did you mean 'borda'?"),
        ({}, {"rule": ["borda"]}, "rule is ['borda']: allowed"),
        ({"mechanism_mode": "announce"}, {"rule": "borda"}, "sees the rule that voting-v0 announces; leave rule"),
        ({"m": 6}, {"rule": "borda"}, "tries all ballots of voting-v0: there are 6! ballots"),
        ({"ballot": "score"}, {"rule": "borda"}, "those of scores have no end (ballot='score')"),
        ({}, {"rule": "borda", "samples": 0}, "samples is 0, allowed: an integer"),
    ],
)  # fmt: skip
def test_compromise_says_what_it_lacks(game, params, told):
    with pytest.raises(LawgiverError, match=re.escape(told)):
        make_policy(game_of(**game), "participant", {"policy": "compromise", **params})


def test_compromise_is_for_elections():
    with pytest.raises(UnsupportedGameError, match="casts a ballot; those of public_investment-v0 cast none"):
        make_policy(make_game("public_investment"), "participant", "compromise")


def test_rankings_of_the_menu_are_all_of_them():
    assert {tuple(positions(row).tolist()) for row in game_of(m=4).menu()} == set(permutations(range(4)))


# -- what is known ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m", "optimum"), [(3, 3, 7 / 12), (5, 3, 9 / 16), (7, 3, 53 / 96), (3, 4, 3 / 5)])
def test_the_best_truthful_rules_reach_what_is_known(n, m, optimum):
    game = game_of(n=n, m=m)
    assert game.limit() == pytest.approx(optimum, abs=1e-12)
    types = drawn(game, 40_000, seed=3)
    means = []
    for name in ("random_dictator", "random_pair_majority"):
        welfare = game.measure(play_out(game, mechanism(game, name), types, types))
        means.append((welfare.mean(), welfare.std() / len(welfare) ** 0.5))
    best, error = max(means)
    assert abs(best - optimum) < 4 * error
    assert game_of(n=n, m=m, ballot="score").limit() is None and game_of(n=n, m=m, culture="urn").limit() is None
    assert game_of(n=9).limit() is None and game_of(n=n, m=m, objective="nash").limit() is None


def test_the_audit_of_a_vote_tells_of_no_payments():
    done = CliRunner().invoke(app, ["audit", "random_dictator", "--game", "voting", "game.n=60", "profiles=2"])
    assert done.exit_code == 0, done.output
    assert re.search(r"^payments +none", done.output, re.MULTILINE) and "payment by participant" not in done.output
    assert re.search(r"^ranking +0 ±0 ", done.output, re.MULTILINE)
    assert "no profitable misreport exists among all 6 ballots" in done.output


def test_payments_of_many_are_not_all_listed():
    done = CliRunner().invoke(app, ["audit", "vcg", "--game", "sequential_sales", "game.n=23", "game.m=1", "profiles=2",
                                    "effort=1"])  # fmt: skip
    assert done.exit_code == 0 and "and of 3 more" in " ".join(done.output.split())
