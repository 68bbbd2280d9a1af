"""Whatever takes a policy refuses what is none, and policies of other games and roles, by one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lawgiver
from lawgiver.agents.logit_equilibrium import LogitEquilibrium
from lawgiver.agents.policies import UniformBox
from lawgiver.agents.tables import equilibrium_table
from lawgiver.envs.core.checks import check_policy
from lawgiver.envs.core.errors import LawgiverError, UnsupportedGameError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_game, make_policy, make_voter
from lawgiver.envs.core.registry import ROLES, names
from lawgiver.envs.election import Election
from lawgiver.envs.families.play_out import play_out
from lawgiver.envs.public_investment import one_round
from lawgiver.envs.solvers.equilibrium import subgame_equilibrium as equilibrium
from lawgiver.envs.solvers.equilibrium.normal_form import normal_form
from lawgiver.envs.views.aec import GameAECEnv
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.envs.views.single import GameEnv
from lawgiver.envs.views.vector import GameVectorEnv
from lawgiver.trainers import audit
from lawgiver.trainers.elections.tournament import round_robin
from lawgiver.trainers.evaluation import score_table as scoring
from lawgiver.trainers.evaluation import vote_shares
from lawgiver.trainers.evaluation.rollout import simulate
from lawgiver.trainers.plots.public_investment import weights_of

SHARING = make_game("public_investment", endowments=(3, 2), n_rounds=2)
ANNOUNCING = make_game("public_investment", endowments=(3, 2), n_rounds=2, mechanism_mode="announce")
TAXED = make_game("taxed_dilemma")
LANES = make_game("lanes", n=3)
SALES = make_game("sequential_sales", n=2, m=2)

NO_POLICIES = [None, "no_mechanism", 3, object(), UniformBox, ["libertarian"], 1.5, b"libertarian"]


def mechanism_of(name: str, **params: Any) -> Any:
    return make_policy(make_game(name, **params), "mechanism", "random")


def participants_of(name: str, **params: Any) -> Any:
    return make_policy(make_game(name, **params), "participant", "random")


MISFITS = [
    mechanism_of("selfish_routing"),
    mechanism_of("gridworld"),
    make_policy(make_game("public_investment", endowments=(5, 4, 3, 2, 1)), "mechanism", "libertarian"),
    participants_of("goal_collection", n=7),
]
"""Mechanisms of no game here, and participants where a mechanism is asked for."""


def played(env: Any) -> None:
    env.reset(seed=0)
    if isinstance(env, GameParallelEnv):
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    elif isinstance(env, GameAECEnv):
        for agent in env.agent_iter(4):
            env.step(env.action_space(agent).sample())
    else:
        env.step(env.action_space.sample())


LIBERTARIAN = make_policy(SHARING, "mechanism", "libertarian")
RNG = np.random.default_rng(0)
TYPES = SALES.initial_state(2, RNG).types
TAKES_A_MECHANISM: dict[str, tuple[Game[Any], Callable[[Game[Any], Any], Any]]] = {
    "exact_scores of public_investment": (SHARING, lambda g, p: g.exact_scores(p, inverse_temperature=1.0)),
    "exact_scores of an announced rule": (ANNOUNCING, lambda g, p: g.exact_scores(p, inverse_temperature=1.0)),
    "exact_scores of taxed_dilemma": (TAXED, lambda g, p: g.exact_scores(p, inverse_temperature=1.0)),
    "exact_scores of lanes": (LANES, lambda g, p: g.exact_scores(p, inverse_temperature=1.0)),
    "exact_scores where there are none": (SALES, lambda g, p: g.exact_scores(p, inverse_temperature=1.0)),
    "normal_form": (SHARING, lambda g, p: normal_form(g, p)),
    "mean_parameters": (LANES, equilibrium.mean_parameters),
    "announced": (LANES, equilibrium.announced),
    "equilibrium_table": (LANES, lambda g, p: equilibrium_table(g, p, 1.0)),
    "LogitEquilibrium": (SHARING, lambda g, p: LogitEquilibrium(g, p, 1.0)),
    "solve": (SHARING, lambda g, p: one_round.solve(g, p, (3, 2), 1.0)),
    "play_out": (SALES, lambda g, p: play_out(g, p, TYPES, TYPES)),
    "audit_game": (SALES, lambda g, p: audit.audit_game(g, p, TYPES, effort=1)),
    "response_of": (SALES, lambda g, p: audit.response_of(g, p)(TYPES, TYPES)),
    "simulate": (SHARING, lambda g, p: simulate(g, {"mechanism": p, "participant": participants_of(g.name)}, 2, RNG)),
    "round_robin": (
        SHARING,
        lambda g, p: round_robin(vote_on(g), {"a": p, "b": make_policy(g, "mechanism", "random")}, 2, 0),
    ),
    "vote_shares.shares": (SHARING, lambda g, p: vote_shares.shares(vote_on(g), [p, p], 2, RNG)),
    "vote_shares.against": (SHARING, lambda g, p: vote_shares.against(vote_on(g), p, {"b": p}, 2, [0])),
    "score_table": (LANES, lambda g, p: scoring.score_table(g, p, inverse_temperature=1.0)),
    "weights_of": (SHARING, lambda g, p: weights_of(g, p)),
}


def vote_on(game: Game[Any]) -> Election:
    base = {"name": game.name, "endowments": [3, 2], "n_rounds": 2}
    return Election(base=base, participants="random", voters="random")


@pytest.mark.parametrize("policy", [*NO_POLICIES, *MISFITS], ids=lambda policy: repr(policy)[:40].split(" at ")[0])
@pytest.mark.parametrize("name", TAKES_A_MECHANISM)
def test_a_mechanism_has_to_be_one_of_the_game(name: str, policy: Any) -> None:
    game, take = TAKES_A_MECHANISM[name]
    if name == "normal_form" and isinstance(policy, str):
        pytest.skip("takes names too")
    with pytest.raises(LawgiverError) as error:
        take(game, policy)
    assert "\n" not in str(error.value)


ANCHORED = {"public_investment": SHARING, "announced": ANNOUNCING, "taxed_dilemma": TAXED, "lanes": LANES}
OTHER_PARTICIPANTS = [participants_of("goal_collection", n=7), participants_of("gridworld"), mechanism_of("lanes")]


@pytest.mark.parametrize("anchor", ["uniform", 3, object(), UniformBox, *OTHER_PARTICIPANTS])
@pytest.mark.parametrize("name", ANCHORED)
def test_an_anchor_has_to_be_participants_of_the_game(name: str, anchor: Any) -> None:
    game = ANCHORED[name]
    with pytest.raises(LawgiverError):
        game.exact_scores(
            make_policy(game, "mechanism", {"policy": "rule", "parameters": [0.5, 0.5][: 2 - (game is TAXED)]}),
            inverse_temperature=1.0,
            anchor=anchor,
        )


VIEWS: dict[str, Callable[[Game[Any], Any], Any]] = {
    "parallel": lambda g, p: GameParallelEnv(g, mechanism=p),
    "aec": lambda g, p: GameAECEnv(GameParallelEnv(g, mechanism=p)),
    "single": lambda g, p: GameEnv(g, role="participant", mechanism=p, participants="random"),
    "vector": lambda g, p: GameVectorEnv(g, role="participant", num_envs=2, mechanism=p, participants="random"),
}


@pytest.mark.parametrize("policy", [3, object(), UniformBox, "nobody", Ellipsis, *MISFITS])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_says_whose_policy_does_not_fit(view: str, policy: Any) -> None:
    with pytest.raises(LawgiverError, match="mechanism"):
        played(VIEWS[view](SHARING, policy))


@pytest.mark.parametrize("policy", [3, object(), UniformBox, "nobody", mechanism_of("lanes"), OTHER_PARTICIPANTS[1]])
def test_partners_have_to_fit_too(policy: Any) -> None:
    with pytest.raises(LawgiverError, match="participant"):
        played(GameEnv(SHARING, role="mechanism", participants=policy))


@pytest.mark.parametrize("game", [None, "lanes", 3, object(), type(LANES)])
def test_a_game_has_to_be_one(game: Any) -> None:
    for call in (
        lambda: make_policy(game, "mechanism", "random"),
        lambda: make_voter(game, "experience"),
        lambda: check_policy(game, "mechanism", MISFITS[0]),
        lambda: audit.audit_game(game, MISFITS[0], TYPES),
        lambda: simulate(game, {}, 2, RNG),
    ):
        with pytest.raises(LawgiverError, match=r"game is .*allowed: a Game"):
            call()


@pytest.mark.parametrize("wrong", [None, 3, object(), [], b"x", ("mechanism",)])
def test_a_role_a_name_and_a_folder_have_to_be_text(wrong: Any) -> None:
    for call in (
        lambda: make_policy(SHARING, wrong, "random"),
        lambda: make_game(wrong),
        lambda: lawgiver.load(wrong),
        lambda: lawgiver.load(".", role=wrong or 0),
        lambda: make_voter(SHARING, wrong),
    ):
        with pytest.raises(LawgiverError):
            call()


@pytest.mark.parametrize("level", [None, "1", -1, float("nan"), [1.0], object()])
def test_an_inverse_temperature_has_to_be_a_number(level: Any) -> None:
    for game in (SHARING, ANNOUNCING, TAXED, LANES):
        name = "no_mechanism" if game is LANES else "libertarian"
        with pytest.raises(LawgiverError, match="inverse_temperature"):
            game.exact_scores(make_policy(game, "mechanism", name), inverse_temperature=level)


def test_a_policy_that_fits_is_left_as_it_was() -> None:
    """The check draws from nobody's generator, and every registered mechanism that can be made passes it."""
    for game in (SHARING, ANNOUNCING, TAXED, LANES, SALES):
        for role, group in ROLES.items():
            for name in names(group):
                try:
                    policy = make_policy(game, role, name)
                except LawgiverError:
                    continue
                check_policy(game, role, policy, distribution=True)
    with pytest.raises(UnsupportedGameError, match="the policy given to the mechanism, FamilyWeights, does not play"):
        LANES.exact_scores(make_policy(SHARING, "mechanism", "libertarian"), inverse_temperature=1.0)


def test_a_policy_that_lacks_a_method_is_told_which() -> None:
    class Halves:
        def initial_state(self, batch: int, rng: Any) -> None: ...

        def act(self, obs: Any, mask: Any, state: Any, rng: Any) -> Any: ...

    with pytest.raises(LawgiverError, match=r"mechanism is .*Halves.* without distribution, allowed: a Policy"):
        check_policy(SHARING, "mechanism", Halves())
