"""What the policies that a run has learned are worth, afterwards: scored exactly, and played anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from lawgiver.agents.anchor import make_anchor
from lawgiver.envs.core.errors import ParameterError
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.make import make_policy
from lawgiver.envs.core.policy import Policy
from lawgiver.envs.core.registry import PACKAGES, TRAINERS, entry, names, require_extras
from lawgiver.envs.election.game import Election
from lawgiver.trainers.elections.hold import FIRST, against
from lawgiver.trainers.evaluation.headings import equilibrium_people, learned_rule
from lawgiver.trainers.evaluation.rollout import simulate
from lawgiver.trainers.evaluation.score_table import beside_equilibrium, final_table, mechanisms
from lawgiver.trainers.runs.config import Natural, Seed, Settings, anchor_of, apply_overrides, validate
from lawgiver.trainers.runs.config_errors import complaint
from lawgiver.trainers.runs.run import Run, load
from lawgiver.trainers.settings.bounded_rationality import BoundedRationality
from lawgiver.trainers.statistics.seeds import over_seeds

GAMES = 4_096
STREAM = 0x6576616C
"""Sets the evaluation's random numbers apart from those of a training with the same seed."""


class EvaluationSettings(Settings):
    """What an evaluation on the command line is about."""

    games: Natural = GAMES
    """Games at once, or elections of a run that is about those; a trainer that counts otherwise keeps to its config."""
    seed: Seed | None = None
    """Of the games; None for the run's own."""


def evaluate_named(path: str | Path, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings that ``key=value`` make of :class:`EvaluationSettings`, and the evaluation with them.

    Raises:
        ParameterError: if an override is wrong.
        RunError: as :func:`evaluate`.
    """
    data = apply_overrides({}, overrides)
    try:
        settings = EvaluationSettings.model_validate(data)
    except ValidationError as error:
        raise ParameterError(complaint(EvaluationSettings, data, error)) from None
    return settings.model_dump(), evaluate(path, settings.games, settings.seed)


def evaluate(path: str | Path, games: int = GAMES, seed: int | None = None) -> dict[str, Any]:
    """Return the final table of a run once more; of a run over several seeds, the aggregate of theirs.

    A role is played by what the run has learned or, where the config gives it a policy (``agents.<role>.given``), by
    that one. Where there is neither, participants play at random.

    Returns:
        ``simulated``: by measure and mechanism, mean and 95 % interval a round of ``games`` games under the canonical
        mechanisms and the ``learned`` or ``given`` one; all meet the same random numbers, which the training has not
        seen. ``populations``: who the participants of ``simulated`` are, and those of the ``exact`` scores, in words;
        ``rule``: what was learned, by name. What :func:`lawgiver.trainers.evaluation.score_table.final_table` tells of
        a learned mechanism at the exact equilibrium, if the config says how bounded the participants' rationality is.
        And of participants who have learned under a given mechanism ``trained_participants``: what they make of it
        (``played``), beside the exact ``equilibrium``. Of a run of ``hcmd_zero`` what
        :func:`lawgiver.trainers.hcmd_zero.evaluation.judge` tells: the mechanism against its config's rivals before all
        of its populations, ``games`` elections each. Of a run of ``affine_maximiser`` what its summary tells of the
        exact mechanism beside VCG and the known limit. Of a run of ``payment_free`` what
        :func:`lawgiver.trainers.payment_free.evaluation.judge` tells. Of a run of ``learned_follower`` what
        :func:`lawgiver.trainers.learned_follower.evaluation.evaluate` tells. Of another mechanism that has learned in
        self-play, what :func:`lawgiver.trainers.elections.hold.against` tells, held against the one it began with and
        the canonical ones.

    Raises:
        RunError: if the folder is not a run, is damaged, or there is no mechanism.
    """
    run = _opened(path, seed)
    require_extras(f"the evaluation of {run.path}", *_needed(run))
    if run.settings.get("seeds") is None:
        return _evaluate(run, games)
    anew, members = seed, {seed: run.path / f"s{seed}" for seed in run.settings["seeds"]}
    found = {seed: _evaluate(_opened(member, anew), games) for seed, member in members.items()}
    return {"runs": [str(member) for member in members.values()], **over_seeds(found)}


def _needed(run: Run) -> Iterator[str]:
    """Yield the extras that an evaluation needs: those of the training, without those for sampling and learning."""
    trainer = run.settings["trainer"]["name"]
    declared = entry(TRAINERS, trainer).extras if trainer in names(TRAINERS) else []
    yield from dict.fromkeys("torch" if extra == "rllib" else extra for extra in declared if extra in PACKAGES)


def _opened(path: str | Path, seed: int | None) -> Run:
    """Return a run with another seed for what is drawn in evaluations of it, its own for None."""
    run = Run.open(path)
    if seed is not None:
        run.settings = {**run.settings, "seed": seed}
    return run


def _evaluate(run: Run, games: int) -> dict[str, Any]:
    game, learned = run.game(), load(run.path)
    own_way = OWN_WAYS.get(run.settings["trainer"]["name"])
    if own_way is not None and "mechanism" in learned:
        return own_way(run, learned["mechanism"], games)
    election = _election(run, game)
    if election is not None and "mechanism" in learned:
        rivals = dict(mechanisms(election.base_game, learned.get(FIRST, learned["mechanism"]), FIRST))
        if FIRST not in learned:
            del rivals[FIRST]
        each = -(-games // len(election.base_game.openings(1, np.random.default_rng(0))))
        return against(election, learned["mechanism"], rivals, each, [STREAM, run.settings["seed"]])
    given = {role: _given(run, game, role) for role in game.roles if role not in learned}
    own: Policy = given.get("mechanism") or load(run.path, role="mechanism")
    participants = learned.get("participant") or given.get("participant") or make_policy(game, "participant", "random")
    label = "learned" if "mechanism" in learned else "given"
    simulated: dict[str, dict[str, Any]] = {}
    for name, mechanism in mechanisms(game, own, label):
        rng = np.random.default_rng([STREAM, run.settings["seed"]])
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
    people = BoundedRationality.model_validate(bounded).solved(game, start)
    anchor = make_anchor(game, anchor_of(people))
    result["populations"]["exact"] = equilibrium_people(run.settings, people.level)
    played = {measure: values[label] for measure, values in simulated.items()}
    if "mechanism" in learned:
        return result | final_table(
            game,
            own,
            inverse_temperature=people.level,
            anchor=anchor,
            start=start,
            participants=learned.get("participant"),
            played=played,
        )
    if "participant" in learned:
        exact = game.exact_scores(own, inverse_temperature=people.level, anchor=anchor)
        result["trained_participants"] = beside_equilibrium(played, exact)
    return result


def _judged_anew(run: Run, mechanism: Any, games: int) -> dict[str, Any]:
    """Return what the judges of a run of HCMD-zero say to other groups than those that summary.json is about."""
    from lawgiver.trainers.hcmd_zero.evaluation import judge
    from lawgiver.trainers.hcmd_zero.judges import Judges

    config = validate(run.settings)
    game: Any = config.game.make()
    each = -(-games // len(game.conditions))
    return judge(Judges.of(config, game), game, mechanism, each, [STREAM, config.seed])[0]


def _settled_anew(run: Run, mechanism: Any, games: int) -> dict[str, Any]:
    """Return what an affine maximiser achieves on other profiles, as many as at the end of its training."""
    import torch

    from lawgiver.trainers.affine_maximiser.objective import Parameters, Problem
    from lawgiver.trainers.affine_maximiser.train import compared

    config = validate(run.settings)
    game: Any = config.game.make()
    problem = Problem(game, chunk=config.trainer.chunk)
    state = np.random.SeedSequence([STREAM, config.seed]).generate_state(1)
    types = problem.sample(config.trainer.evaluation.profiles, torch.Generator().manual_seed(int(state[0])))
    found = Parameters(torch.from_numpy(mechanism.log_weights), torch.from_numpy(mechanism.boosts))
    return compared(problem, found, types)


def _walked_anew(run: Run, follower: Any, games: int) -> dict[str, Any]:
    """Return what a learned follower is worth on other profiles, as many as its config asks for."""
    from lawgiver.trainers.learned_follower.evaluation import evaluate

    config = validate(run.settings)
    game: Any = config.game.make()
    return evaluate(game, follower, config.trainer.evaluation, [STREAM, config.seed])


def _audited_anew(run: Run, mechanism: Any, games: int) -> dict[str, Any]:
    """Return what a mechanism without payments is worth on other profiles, audited as its config says."""
    from lawgiver.trainers.payment_free.evaluation import judge

    config = validate(run.settings)
    game: Any = config.game.make()
    evaluation = config.trainer.evaluation
    return judge(game, mechanism, evaluation.instances, evaluation.effort, [STREAM, config.seed])


OWN_WAYS: dict[str, Callable[[Run, Any, int], dict[str, Any]]] = {
    "hcmd_zero": _judged_anew,
    "affine_maximiser": _settled_anew,
    "learned_follower": _walked_anew,
    "payment_free": _audited_anew,
}
"""What is told of a run of trainers whose mechanisms are not played in games as others are, by trainer: a function of
the run, its mechanism, and how many games, where the config does not say."""


def _election(run: Run, game: Game[Any]) -> Election | None:
    """Return the election that a run is about, or before whose people and voters its mechanism was learned, if any."""
    agents = run.settings["agents"]
    if isinstance(game, Election) or not {"participants", "voters"} <= agents.keys():
        return game if isinstance(game, Election) else None
    return Election(base=run.settings["game"], participants=agents["participants"], voters=agents["voters"])


def _settings(run: Run, role: str) -> Mapping[str, Any]:
    """Return what the config says of a role, by the names that the trainers here use for it."""
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
    """Return the policy that the config gives a role, None if it gives none."""
    given = _settings(run, role).get("given")
    return make_policy(game, role, **given) if isinstance(given, Mapping) and "policy" in given else None
