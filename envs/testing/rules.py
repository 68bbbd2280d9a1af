"""Checks of a game's rules and declarations, on NumPy."""

from __future__ import annotations

import dataclasses
import pickle
import random
import re
from typing import Any

import gymnasium
import numpy as np

from lawgiver.envs.core.arrays import take_games
from lawgiver.envs.core.checks import declaration_error
from lawgiver.envs.core.errors import allowed
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.registry import OBJECTIVES, names
from lawgiver.envs.core.rollout import Step
from lawgiver.envs.testing.play import SLACK, random_steps, require
from lawgiver.envs.testing.recorded import check_recorded
from lawgiver.envs.views.rendering import text

ROUNDING = 1e-9
"""What sums of payments may be off by, relative to their size."""


def check_declarations(game: Game[Any]) -> None:
    """The game has a versioned name, a source, roles, spaces, and a horizon."""
    error = declaration_error(game)
    require(error is None, game, str(error))
    require(re.fullmatch(r"[a-z0-9_]+-v\d+", game.name), game, "its name is not of the form some_game-v0")
    version = game.name.rpartition("-")[2]
    told = list(game.versions)[-1:] == [version]
    require(told, game, f"its versions are {list(game.versions)}, the last should be {version}: say what it brought")
    require(game.reference, game, "it names no paper or book that it comes from")
    require(game.sum_type in ("general", "constant", "identical"), game, f"unknown sum_type {game.sum_type!r}")
    require(game.max_steps >= 1, game, f"max_steps is {game.max_steps}")
    require(game.roles and min(game.roles.values()) >= 1, game, f"its roles are {dict(game.roles)}")
    strangers = set(game.reward_meaning) - set(game.roles)
    require(not strangers, game, f"it says what {sorted(strangers)} are paid, its roles are {list(game.roles)}")
    silent = [role for role in game.roles if not game.reward_meaning.get(role)]
    require(not silent, game, f"its reward_meaning does not say what {silent} are paid")
    for params in game.variants.values():
        type(game)(**params)
    for role in game.roles:
        for field in game.observation_layout(role):
            require(field.size >= 1 and field.low <= field.high, game, f"empty observation field {field} of {role}")
        space = game.action_space(role)
        if isinstance(space, gymnasium.spaces.Box):
            bounded = bool(np.isfinite(space.low).all() and np.isfinite(space.high).all())
            require(bounded, game, f"actions of {role} have no finite bounds: {space}")


def check_steps(game: Game[Any], batch: int = 64, seed: int = 0) -> None:
    """Every step returns values of the shape, type and range of the contract, and does not change its arguments."""
    for step in random_steps(game, batch, np.random.default_rng(seed)):
        at = f"at step {step.index}"
        _check_seen(game, step, batch, at)
        require(set(step.rewards) == set(game.roles), game, f"{at} rewards are for {sorted(step.rewards)}")
        for role, reward in step.rewards.items():
            require(reward.shape == (batch, game.roles[role]), game, f"{at} rewards of {role} are {reward.shape}")
            require(np.isfinite(reward[step.alive]).all(), game, f"{at} rewards of {role} are not finite")
        for flag in (step.terminated, step.truncated):
            require(flag.shape == (batch,) and flag.dtype == bool, game, f"{at} flags are {flag.dtype} {flag.shape}")
        require(not (step.terminated & step.truncated).any(), game, f"{at} a game is terminated and truncated")
        before = pickle.dumps((step.state, step.actions, step.draws))
        game.step(step.state, step.actions, step.draws)
        kept = before == pickle.dumps((step.state, step.actions, step.draws))
        require(kept, game, f"{at} a step writes into the state, actions or draws that it is given")


def _check_seen(game: Game[Any], step: Step[Any], batch: int, at: str) -> None:
    for role, count in game.roles.items():
        space, action = game.observation_space(role), game.action_space(role)
        seen = game.observe(step.state, role)
        shape = (batch, count, *(space.shape or ()))
        require(seen.shape == shape, game, f"{at} observations of {role} are {seen.shape}, its layout says {shape}")
        assert isinstance(space, gymnasium.spaces.Box)
        rows = seen[step.alive].astype(np.float32)
        outside = ~((rows >= space.low) & (rows <= space.high)).reshape(-1, rows.shape[-1]).all(axis=0)
        if outside.any():
            column = int(np.argmax(outside))
            name = [field.name for field in game.observation_layout(role) for _ in range(field.size)][column]
            worst = rows[..., column]
            found, bounds = (worst.min(), worst.max()), (space.low[column], space.high[column])
            require(False, game, f"{at} the observation {name!r} of {role} spans {found}, its bounds are {bounds}")
        mask = game.legal_actions(step.state, role)
        if mask is not None:
            require(
                isinstance(action, gymnasium.spaces.Discrete), game, f"a mask for {role}, whose actions are no choice"
            )
            shape = (batch, count, int(action.n))  # type: ignore[attr-defined]
            require(
                mask.shape == shape and mask.dtype == bool, game, f"{at} masks of {role} are {mask.dtype} {mask.shape}"
            )
            require(mask[step.alive].any(axis=-1).all(), game, f"{at} {role} has no legal action")


def check_horizon(game: Game[Any], batch: int = 64, seed: int = 1) -> None:
    """No game is longer than ``max_steps``; where the horizon is known, every game is terminated exactly then.

    Where it is not, some games end otherwise: earlier, or because they are cut off.
    """
    surprise = False
    lengths = np.zeros(batch, int)
    for step in random_steps(game, batch, np.random.default_rng(seed)):
        lengths += step.alive
        surprise |= bool((step.alive & (step.truncated | (step.terminated & (lengths < game.max_steps)))).any())
        cut = bool((step.alive & step.truncated).any())
        require(not (game.horizon_known and cut), game, "it is truncated, though the horizon is declared as known")
    over = game.max_steps + SLACK
    require(lengths.max() < over, game, f"a game is not over after the max_steps = {game.max_steps} that it declares")
    exact = not game.horizon_known or lengths.min() == game.max_steps
    require(exact, game, f"a game is over after {lengths.min()} steps, the known horizon is {game.max_steps}")
    told = f"every game is terminated after exactly {game.max_steps} steps"
    require(game.horizon_known or surprise, game, f"{told}, though the horizon is declared as not known")


def check_determinism(game: Game[Any], batch: int = 16, seed: int = 2) -> None:
    """The same seed gives the same games, and global random states are untouched."""
    outside = pickle.dumps((random.getstate(), np.random.get_state()))
    first, second = (
        [pickle.dumps(dataclasses.astuple(step)) for step in random_steps(game, batch, np.random.default_rng(seed))]
        for _ in range(2)
    )
    require(len(first) == len(second), game, "the same seed gives games of different length")
    for index, (one, other) in enumerate(zip(first, second, strict=True)):
        require(one == other, game, f"the same seed gives another step {index}: hidden randomness or state")
    untouched = outside == pickle.dumps((random.getstate(), np.random.get_state()))
    require(untouched, game, "it draws from a global random generator: take what `draw` returns")


def check_independence(game: Game[Any], batch: int = 16, seed: int = 3) -> None:
    """A game of a batch evolves as it would alone."""
    for step in random_steps(game, batch, np.random.default_rng(seed)):
        for index in np.flatnonzero(step.alive)[:4]:
            only = slice(index, index + 1)
            alone = game.step(take_games(step.state, only), step.actions[only], take_games(step.draws, only))
            together = (step.after, step.rewards, step.terminated, step.truncated)
            for one, many in zip(alone, together, strict=True):
                same = tree_distance(one, take_games(many, only)) <= ROUNDING
                require(same, game, f"at step {step.index} game {index} goes otherwise alone than in a batch")


def check_legal_actions(game: Game[Any], batch: int = 8, seed: int = 4) -> None:
    """An illegal action is played as the nearest legal one, and every legal one as itself."""
    for step in random_steps(game, batch, np.random.default_rng(seed)):
        mask = game.legal_actions(step.state, step.role)
        if mask is None:
            continue
        choices = np.arange(mask.shape[-1])
        played = [game.outcome(step.state, np.full(step.actions.shape, choice)) for choice in choices]
        if any(outcome.shape != step.actions.shape for outcome in played):
            continue  # what they amount to is not said seat by seat
        table = np.stack(played, axis=-1)
        for seat, choice in np.argwhere((~_as_nearest(table, mask) & step.alive[:, None, None]).any(axis=0)):
            who = game.agents_of(step.role)[seat]
            require(False, game, f"the illegal action {choice} of {who} is not played as the nearest legal one")
        distinct = np.sort(np.where(mask, table, table.max() + 1 + choices), axis=-1)
        twins = (np.diff(distinct, axis=-1) == 0).any(axis=-1) & step.alive[:, None]
        for seat in np.flatnonzero(twins.any(axis=0)):
            who = game.agents_of(step.role)[seat]
            require(False, game, f"two actions of {who} that its mask calls legal are played as one")


def _as_nearest(table: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Compute whether each choice is played (``table``) as the nearest legal one, both (B, n_role, n_actions)."""
    choices, most = np.arange(mask.shape[-1]), 2 * mask.shape[-1]
    below = np.maximum.accumulate(np.where(mask, choices, -most), axis=-1)
    above = np.minimum.accumulate(np.where(mask, choices, most)[..., ::-1], axis=-1)[..., ::-1]

    def played_as(target: np.ndarray) -> Any:
        return np.take_along_axis(table, np.clip(target, 0, choices[-1]), axis=-1) == table

    down, up = choices - below, above - choices
    nearest: np.ndarray = (played_as(below) & (down <= up)) | (played_as(above) & (up <= down))
    return nearest


def check_payments(game: Game[Any], batch: int = 64, seed: int = 5) -> None:
    """Budget balance, and constant or identical sums, are as declared."""
    earned = np.zeros(batch)
    defined = type(game).deficit is not Game.deficit
    require(defined or not game.budget_balanced, game, "declared as budget balanced, but deficit(state) is not defined")
    for step in random_steps(game, batch, np.random.default_rng(seed)):
        paid = step.rewards[game.players]
        earned += np.where(step.alive, paid.sum(axis=-1), 0.0)
        if game.sum_type == "identical":
            alike = np.ptp(paid[step.alive], axis=-1) <= ROUNDING
            told = f"{game.players}s earn differently at step {step.index}, declared as identical"
            require(alike.all(), game, told)
        rewarded = step.alive & (paid != 0).any(axis=-1)
        if game.budget_balanced and rewarded.any():
            deficit = np.abs(game.deficit(step.after))[rewarded].max()
            size = 1 + np.abs(paid[rewarded]).max()
            require(deficit <= ROUNDING * size, game, f"the budget is off by {deficit:.3g}, though declared balanced")
    if game.sum_type == "constant":
        spread = np.ptp(earned)
        require(
            spread <= ROUNDING * (1 + np.abs(earned).max()), game, f"sums differ by {spread:.3g}, declared constant"
        )


def check_rewards(game: Game[Any], batch: int = 64, seed: int = 8) -> None:
    """Rewards are the state's payoffs when a round is over, and 0 at other steps.

    Asked of games whose states have ``payoffs`` and count rounds in ``round``: participants are paid the payoffs, which
    ties them to the budget, and a single mechanism is paid the ``objective``. A game whose states have ``endowments``
    too, which is all that the objectives of the entry-point group ask for, has to name one, or say that it is None.
    """
    name = getattr(game, "objective", None)
    paid = game.roles.get("mechanism") == 1 and isinstance(name, str)
    for step in random_steps(game, batch, np.random.default_rng(seed)):
        if not (hasattr(step.after, "payoffs") and hasattr(step.after, "round")):
            return
        named = hasattr(game, "objective") or game.roles.get("mechanism") != 1 or not hasattr(step.after, "endowments")
        told = f"it does not name the objective that its mechanism is paid: {allowed(str(name), names(OBJECTIVES))}"
        require(named, game, told)
        over = (step.after.round > step.state.round)[:, None]
        due = {"participant": ("payoffs", step.after.payoffs)}
        if paid:
            sense = -1 if name in getattr(game, "losses", ()) else 1
            due["mechanism"] = (f"objective {name!r}", sense * game.measure(step.after)[:, None])
        for role, (what, worth) in due.items():
            expected = np.where(over, worth, 0.0)[step.alive]
            off = np.abs(step.rewards[role][step.alive] - expected).max()
            fits = off <= ROUNDING * (1 + np.abs(expected).max())
            require(fits, game, f"at step {step.index} the reward of {role} is off the state's {what} by {off:.3g}")


def check_announcements(game: Game[Any], batch: int = 16, seed: int = 9) -> None:
    """Participants observe the announcement before they act, where it changes their payoffs.

    Every game is played once more with another action of the mechanism and everything else alike, until it acts
    again.
    """
    if game.roles.get("mechanism") != 1 or "participant" not in game.roles:
        return
    history = list(random_steps(game, batch, np.random.default_rng(seed)))
    for at, step in enumerate(history[:-1]):
        if step.role != "mechanism" or history[at + 1].role != "participant":
            continue
        state = game.step(step.state, np.roll(step.actions, 1, axis=0), step.draws)[0]
        seen, other = (np.asarray(game.observe(x, "participant")) for x in (step.after, state))
        hidden = np.abs(seen - other).reshape(batch, -1).max(axis=-1) == 0
        matters = np.zeros(batch, bool)
        for later in history[at + 1 :]:
            if later.role != "participant":
                break
            state, rewards, _, _ = game.step(state, later.actions, later.draws)
            paid = rewards["participant"] - later.rewards["participant"]
            matters |= later.alive & (np.abs(paid).max(axis=-1) > ROUNDING)
        told = f"participants do not see what the mechanism announced at step {step.index}, which changes their pay"
        require(not (hidden & matters).any(), game, told)


def check_saving(game: Game[Any], batch: int = 4, seed: int = 6) -> None:
    """A game and its states can be pickled in mid-play, and go on the same afterwards."""
    for step in random_steps(game, batch, np.random.default_rng(seed)):
        again, state = pickle.loads(pickle.dumps((game, step.state)))
        require(again == game, game, "it is not equal to itself once saved and loaded")
        resumed = again.step(state, step.actions, step.draws)[0]
        require(tree_distance(resumed, step.after) == 0, game, f"saved at step {step.index} it goes on differently")


def check_pictures(game: Game[Any], seed: int = 7) -> None:
    """Every state can be shown as text."""
    for step in random_steps(game, 2, np.random.default_rng(seed)):
        shown = text(game, step.after, 1)
        require(game.name in shown, game, "its picture cannot be shown as text")


def check_known_solutions(game: Game[Any]) -> None:
    """Known solutions satisfy the equations that define them."""
    for solution in game.known_solutions():
        residual = solution.residual()
        fits = residual <= solution.tolerance
        require(fits, game, f"{solution.name!r} is off by {residual:.3g}, tolerance {solution.tolerance:.3g}")


def tree_distance(one: Any, other: Any) -> float:
    """Return the largest difference between two states, or dicts or tuples of arrays; infinite where shapes differ."""
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return max((tree_distance(getattr(one, name), getattr(other, name)) for name in names), default=0.0)
    if isinstance(one, dict):
        return max((tree_distance(one[key], other[key]) for key in one), default=0.0)
    a, b = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    if a.shape != b.shape:
        return float("inf")
    differ = (a != b) & ~(np.isnan(a) & np.isnan(b))
    return float(np.abs(a[differ] - b[differ]).max()) if differ.any() else 0.0


RULE_CHECKS = (
    check_declarations,
    check_steps,
    check_horizon,
    check_determinism,
    check_independence,
    check_legal_actions,
    check_payments,
    check_rewards,
    check_announcements,
    check_recorded,
    check_saving,
    check_pictures,
    check_known_solutions,
)
"""Every check of the rules, in the order in which they make sense to a reader."""
