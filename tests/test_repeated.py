"""Votes round after round: stages, choices from the menu, who can play them, and what is refused."""

from __future__ import annotations

import numpy as np
import pettingzoo
import pytest
import torch

import lawgiver
from lawgiver.envs.core.errors import ParameterError, UnknownNameError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.registry import GAMES, lookup, names
from lawgiver.envs.core.rollout import rollout
from lawgiver.envs.families.choice_game import lottery_of
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.families.reporting_game import ReportingGame
from lawgiver.envs.repeated import RepeatedGame
from lawgiver.envs.voting import Voting

ANNOUNCED = {"name": "voting", "n": 3, "m": 3, "mechanism_mode": "announce"}
SKEWED = {"name": "voting", "n": 3, "m": 3, "culture": "plackett_luce", "log_weights": [0, 0, -1.5]}
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"rounds": 0}, ParameterError, "rounds is 0"),
        ({"announce_every": "week"}, ParameterError, "announce_every is 'week'.*game, round"),
        ({"stage": 3}, ParameterError, r"stage is 3, allowed: a game's name, or \{'name': NAME"),
        ({"stage": {"n": 3}}, ParameterError, r"stage is \{'n': 3\}, allowed: a game's name"),
        ({"stage": "vating"}, UnknownNameError, "vating"),
        ({"stage": {"name": "voting", "m": 1}}, ParameterError, "m is 1"),
        ({"stage": {"name": "voting", "voters": 3}}, ParameterError, "no parameter 'voters'"),
        ({"stage": "public_investment"}, UnsupportedGameError, "nobody reports anything.*voting-v0"),
        ({"stage": {"name": "voting", "ballot": "score"}}, UnsupportedGameError, "no menu of ballots.*no end"),
        (
            {"stage": {"name": "voting", "m": 7}},
            UnsupportedGameError,
            "no menu of ballots to choose from: .*7! ballots",
        ),
        ({"stage": "sequential_sales"}, UnsupportedGameError, "sequential_sales-v0 has no menu of reports"),
        ({"n": 4}, ParameterError, "did you mean 'n' among the parameters of voting"),
    ],
)
def test_bad_parameters_are_named(params, error, message):
    with pytest.raises(error, match=message):
        make_game("repeated", **params)


def test_a_choice_is_a_ballot_of_the_menu_whatever_the_type():
    game = RepeatedGame(stage=SKEWED)
    assert game.choices == 6 and game.action_space("participant").n == 6
    types = game.one_shot.initial_state(50, RNG).types
    choices = RNG.integers(0, 6, (50, 3))
    reports = game.reports_of(types, choices)
    assert np.array_equal(reports, game.menu[choices])
    assert np.array_equal(game.reports_of(torch.as_tensor(types), torch.as_tensor(choices)), reports)
    honest = game.honest_choice(types)
    assert np.array_equal(np.argsort(game.reports_of(types, honest)), np.argsort(types))


@pytest.mark.parametrize("stage", [ANNOUNCED, {"name": "voting", "preset": "on_a_line", "n": 5, "m": 3}])
def test_a_round_is_the_stage(stage):
    game = RepeatedGame(stage=stage, rounds=3)
    rng = np.random.default_rng(3)
    state = game.initial_state(20, rng)
    for completed in range(game.rounds):
        types, alone = state.now.types, game.one_shot.initial_state_from(state.now.types)
        assert (game.observe(state, "participant")[..., -1] == completed).all()
        for _ in range(2):
            role = game.phase(state)
            assert role == game.one_shot.phase(alone)
            if role == "participant":
                actions = rng.integers(0, game.choices, (20, game.one_shot.n))
                sent = game.menu[actions]
            else:
                actions = sent = rng.random((20, 1, game.action_space(role).shape[0]))
            state, rewards, *_ = game.step(state, actions, game.draw(20, rng))
            alone, expected, *_ = game.one_shot.step(alone, sent, {})
        for role in game.roles:
            assert np.array_equal(rewards[role], expected[role])
        assert np.array_equal(game.infos(state)["lottery"], lottery_of(alone))
        assert not np.array_equal(state.now.types, types), "the next round's are other types"
        assert game.deficit(state) == pytest.approx(np.zeros(20))
        shown = game.picture(state, 0)
        assert shown["completed rounds"] == [completed + 1]
        assert np.array_equal(shown["last reported utility 1"], alone.reports[0, :, 0])
        assert np.array_equal(shown["utility 1"], state.now.types[0, :, 0])


@pytest.mark.parametrize("rule", ["plurality", "borda", "irv", "random_pair_majority"])
def test_rules_of_the_stage_decide_by_the_ballots_of_truthful_voters(rule):
    env = pettingzoo.make("parallel", "lawgiver/repeated-v0", stage=SKEWED, mechanism=rule, rounds=1)
    env.reset(seed=0)
    game = env.game
    types = env._session.state.now.types.copy()
    honest = game.honest_choice(types)[0]
    _, rewards, *_ = env.step(dict(zip(env.agents, honest.tolist(), strict=True)))
    done = play_out(game.one_shot, make_policy(game.one_shot, "mechanism", rule), types, types)
    assert list(rewards.values()) == pytest.approx(done.utilities[0].tolist(), abs=1e-6)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_participants_by_name_choose_what_they_would_report(backend):
    game = RepeatedGame(stage=SKEWED, rounds=1)
    rng = np.random.default_rng(0) if backend == "numpy" else torch.Generator().manual_seed(0)
    state = game.initial_state(300, rng)
    obs = game.observe(state, "participant")

    def chosen(**policy):
        made = make_policy(game, "participant", policy)
        return np.asarray(made.act(obs, None, made.initial_state(300, rng), rng)[0])

    honest = np.asarray(game.honest_choice(state.now.types))
    assert np.array_equal(chosen(policy="truthful"), honest)
    compromise = chosen(policy="compromise", rule="borda")
    stage = make_policy(game.one_shot, "participant", {"policy": "compromise", "rule": "borda"})
    ballots = np.asarray(stage.act(obs[..., :-1], None, None, rng)[0])
    assert game.menu[compromise] == pytest.approx(ballots, abs=1e-6)
    assert 0.2 < (compromise != honest).mean() < 0.8, "under Borda's rule the weak third is put last or first to harm"
    assert len(np.unique(chosen(policy="random"))) == 6


def test_what_a_stage_cannot_be_played_by_is_refused():
    game = RepeatedGame(stage=SKEWED)
    with pytest.raises(UnsupportedGameError, match="needs the name of the rule"):
        make_policy(game, "participant", "compromise")
    with pytest.raises(UnsupportedGameError, match="participant 'compromise' casts a ballot"):
        make_policy(make_game("repeated_allocation"), "participant", "compromise")


def test_an_announced_rule_is_seen_for_the_whole_game_and_found_by_name():
    game = RepeatedGame(stage=ANNOUNCED, rounds=3, announce_every="game")
    assert game.max_steps == 4 and isinstance(game.one_shot, Voting)
    policies = {who: make_policy(game, role, name) for role, name, who in [
        ("mechanism", "borda", "mechanism"), ("participant", "compromise", "participant")]}  # fmt: skip
    steps = list(rollout(game, policies, game.initial_state(10, RNG), RNG))
    assert "".join(step.role[0] for step in steps) == "mppp"
    for step in steps[1:]:
        assert step.state.now.parameters == pytest.approx(np.tile(game.members["borda"], (10, 1)))


def test_an_audit_of_it_is_exact_and_of_the_stage():
    found = lawgiver.audit("borda", {"name": "repeated", "stage": SKEWED}, profiles=20)
    assert found.exact and found.menu_size == 6 and found.ordinal is not None


def test_the_default_stage_is_a_vote():
    game = make_game("repeated")
    assert isinstance(game.one_shot, Voting) and game.base_game_of("mechanism") is game.one_shot
    assert game.base_game_of("participant") is game


@pytest.mark.parametrize("name", [name for name in names(GAMES) if isinstance(lookup(GAMES, name), type)])
def test_what_a_game_reads_is_read_as_itself_and_its_menu_is_complete(name):
    game = make_game(name)
    if not isinstance(game, ReportingGame):
        return
    low, high = (
        np.concatenate([np.full(f.size, getattr(f, end)) for f in game.type_layout()]) for end in ("low", "high")
    )
    reports = low + (high - low) * RNG.random((200, game.n, len(low)))
    told, menu = game.read(reports), game.menu()
    assert np.array_equal(game.read(told), told)
    if menu is None:
        return
    assert np.array_equal(game.read(menu), menu) and len(np.unique(menu, axis=0)) == len(menu)
    assert np.array_equal(game.honest_choice(menu), np.arange(len(menu)))
    assert np.array_equal(menu[game.honest_choice(reports)], told), "whatever is reported is read as a row"
