"""Default evaluation of a run: fresh rollouts, elections, and exact scores in equilibrium."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lawgiver.agents.anchor import make_anchor
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.election.game import Election
from lawgiver.trainers.evaluation.rollout import simulate
from lawgiver.trainers.evaluation.score_table import beside_equilibrium, final_table, mechanisms
from lawgiver.trainers.evaluation.vote_shares import FIRST, against
from lawgiver.trainers.runs.headings import equilibrium_people, learned_rule
from lawgiver.trainers.runs.loading import load
from lawgiver.trainers.runs.run import Run
from lawgiver.trainers.settings.base import anchor_of
from lawgiver.trainers.settings.bounded_rationality import BoundedRationality


def evaluate_run(run: Run, games: int, seed: Sequence[int]) -> dict[str, Any]:
    """Evaluate a run's policies in rollouts, or its mechanism in elections, and exactly where possible.

    A role is played by what the run has learned or, where the config gives it a policy (``agents.<role>.given``), by
    that one. Where there is neither, participants play at random.

    Args:
        run: a finished run.
        games: number of games to be played, or elections to be held.
        seed: entropy of the games.

    Returns:
        ``simulated``: by measure and mechanism, mean and interval a round of ``games`` games under the canonical
        mechanisms and the ``learned`` or ``given`` one, on the same random numbers. ``populations``: who the
        participants of ``simulated`` are, and those of the ``exact`` scores, in words; ``rule``: what was learned, by
        name. What :func:`lawgiver.trainers.evaluation.score_table.final_table` tells of a learned mechanism at the
        exact equilibrium, if the config says how bounded the participants' rationality is. And of participants who
        have learned under a given mechanism ``trained_participants``: what they make of it (``played``), beside the
        exact ``equilibrium``. Of a mechanism that has learned to win elections in place of all this what
        :func:`lawgiver.trainers.evaluation.vote_shares.against` tells, held against the one it began with and the
        canonical ones.

    Raises:
        RunError: if the run is damaged, or there is no mechanism.
    """
    game, learned = run.game(), load(run.path)
    election = _election(run, game)
    if election is not None and "mechanism" in learned:
        rivals = dict(mechanisms(election.base_game, learned.get(FIRST, learned["mechanism"]), FIRST))
        if FIRST not in learned:
            del rivals[FIRST]
        each = -(-games // len(election.base_game.initial_states_by_condition(1, np.random.default_rng(0))))
        return against(election, learned["mechanism"], rivals, each, seed)
    given = {role: _given(run, game, role) for role in game.roles if role not in learned}
    own: Policy = given.get("mechanism") or load(run.path, role="mechanism")
    participants = learned.get("participant") or given.get("participant") or make_policy(game, "participant", "random")
    label = "learned" if "mechanism" in learned else "given"
    simulated: dict[str, dict[str, Any]] = {}
    for name, mechanism in mechanisms(game, own, label):
        rng = np.random.default_rng(seed)
        for measure, value in simulate(game, {"mechanism": mechanism, "participant": participants}, games, rng).items():
            simulated.setdefault(measure, {})[name] = value
    settings = _settings(run, "participant")
    result: dict[str, Any] = {
        "simulated": simulated,
        "populations": {"simulated": f"{_who_plays(run, learned, given)}, {games:,} game{'s' * (games != 1)}"},
    }
    rule = learned_rule(run)
    if rule is not None:
        result["rule"] = rule
    if not {"inverse_temperature", "kl_budget"} & settings.keys():
        return result | {"reasons": {"exact scores": "the config gives the participants no inverse temperature"}}
    if given.get("participant") is not None:
        return result | {"reasons": {"exact scores": "the config gives the participants a policy, whatever is optimal"}}
    bounded = {name: settings[name] for name in BoundedRationality.model_fields if name in settings}
    start = _settings(run, "mechanism").get("start")
    people = BoundedRationality.model_validate(bounded)
    anchor = make_anchor(game, anchor_of(people))
    inverse_temperature = people.inverse_temperature_in(game, anchor, start)
    result["populations"]["exact"] = equilibrium_people(run.settings, inverse_temperature)
    played = {measure: values[label] for measure, values in simulated.items()}
    if "mechanism" in learned:
        return result | final_table(
            game,
            own,
            inverse_temperature=inverse_temperature,
            anchor=anchor,
            start=start,
            participants=learned.get("participant"),
            played=played,
        )
    if "participant" in learned:
        exact = game.exact_scores(own, inverse_temperature=inverse_temperature, anchor=anchor)
        result["trained_participants"] = beside_equilibrium(played, exact)
    return result


def _election(run: Run, game: Game[Any]) -> Election | None:
    """Find the election of a run: its game, or the one that its mechanism was trained for; else None."""
    agents = run.settings["agents"]
    if isinstance(game, Election) or not {"participants", "voters"} <= agents.keys():
        return game if isinstance(game, Election) else None
    return Election(base=run.settings["game"], participants=agents["participants"], voters=agents["voters"])


def _settings(run: Run, role: str) -> Mapping[str, Any]:
    """Read the config's settings of a role, by the keys that the built-in trainers use."""
    agents = run.settings["agents"]
    found = agents.get("participants" if role == "participant" else role)
    return found if isinstance(found, Mapping) else {}


def _who_plays(run: Run, learned: Mapping[str, Any], given: Mapping[str, Policy | None]) -> str:
    """Describe the participants of games that are played."""
    if "participant" in learned:
        return "the participants whom this run has trained"
    if given.get("participant") is not None:
        return f"participants {_settings(run, 'participant')['given']['policy']}"
    return "participants who act at random, as this run has trained none"


def _given(run: Run, game: Game[Any], role: str) -> Policy | None:
    """Make the policy that the config gives a role, None if it gives none."""
    given = _settings(run, role).get("given")
    return make_policy(game, role, **given) if isinstance(given, Mapping) and "policy" in given else None
