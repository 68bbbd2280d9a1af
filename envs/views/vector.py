"""The Gymnasium VectorEnv of any game: a batch of games in which one agent of a role learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from lawgiver.envs.core.arrays import map_arrays
from lawgiver.envs.core.errors import ActionError, ParameterError, brief, choice, counted, integer, seed_number
from lawgiver.envs.core.game import Game
from lawgiver.envs.core.policy import PolicyLike
from lawgiver.envs.core.validation import check_actions
from lawgiver.envs.views.batch import Batch
from lawgiver.envs.views.choices import Choices
from lawgiver.envs.views.learner import check_role, forget_entropy, learner_session
from lawgiver.envs.views.observation import learner_masks, learner_obs, mask_key, masks, observation, observation_space
from lawgiver.envs.views.registration import make_view
from lawgiver.envs.views.rendering import METADATA, Screen
from lawgiver.envs.views.session import Session
from lawgiver.envs.views.streams import Streams


def check_autoreset(mode: Any) -> AutoresetMode:
    """Return an autoreset mode, given as such or by its value.

    Raises:
        ParameterError: if there is none of that name.
    """
    if isinstance(mode, AutoresetMode):
        return mode
    return AutoresetMode(choice("autoreset_mode", mode, [each.value for each in AutoresetMode]))


class GameVectorEnv(VectorEnv[Any, Any, Any]):
    """A batch of games with one learner each, as a Gymnasium VectorEnv. No Python loop runs over the games.

    Observations are float32 (num_envs, d), the fields of the game's ``observation_layout``; rewards (num_envs,) are
    what the learner earned since the step before, in the game's own units. ``infos["action_mask"]``, int8 (num_envs,
    n_actions), marks the legal actions of a Discrete role of which the rules forbid some; with
    ``mask_in_observation`` the observations of a Discrete role are ``{"observation": ..., "action_mask": ...}``
    instead. Infos are those of :meth:`Game.infos`. As in Gymnasium's own vectors, ``infos["_KEY"]``, bool
    (num_envs,), says for which games ``infos["KEY"]`` holds. An illegal action inside the space is played as the
    nearest legal one.

    ``autoreset_mode`` is one of Gymnasium's, given as ``gymnasium.vector.AutoresetMode`` or by its value:

    - ``NextStep``: the step after a game's end ignores its action and returns the first observation of a new game,
      reward 0 and both flags False.
    - ``SameStep``: the step that ends a game returns the first observation of a new one, and the last one of the old
      in ``infos["final_obs"]``, its infos in ``infos["final_info"]``.
    - ``Disabled``: ``reset(options={"reset_mask": mask})`` starts games anew; until then no step is taken.

    Args:
        game: the rules.
        role: role that learns: ``mechanism``, or ``participant`` (participant 0, the others play ``participants``).
        num_envs: number of games.
        mechanism: plays the mechanism where a participant learns, the other mechanisms where there are several
            (default ``random``).
        participants: plays the (other) participants (default ``random``).
        mask_in_observation: see above.
        render_mode: None, ``human`` (prints game 0 at every step), ``ansi`` or ``rgb_array``.
        discretise: levels of each component of a Box action, whose space is Discrete then; see :class:`Choices`.
        clip_actions: whether Box actions beyond their bounds are cut to them instead of being refused.
        autoreset_mode: see above.
        max_episode_steps: truncate a game that is not over after that many steps; None for the game's own end.

    Raises:
        ParameterError: if the role, the render mode or the autoreset mode is unknown, or ``num_envs`` or
            ``max_episode_steps`` is below 1; from ``reset``, if seeds or the mask do not fit the games.
        ActionError: from ``step``, if the action of a game that is not over is NaN or outside its space, their
            number is wrong, or a game is over in ``Disabled`` mode; from ``step`` and ``render``, before the first
            ``reset``.
    """

    metadata = {**METADATA, "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012
    _seeded = False

    def __init__(
        self,
        game: Game[Any],
        *,
        role: str | None = None,
        num_envs: int = 1,
        mechanism: PolicyLike | None = None,
        participants: PolicyLike | None = None,
        mask_in_observation: bool | str = False,
        render_mode: str | None = None,
        discretise: int | None = None,
        clip_actions: bool = False,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
    ) -> None:
        """See the class."""
        self.game, self.role = game, check_role(game, role)
        self.autoreset_mode = check_autoreset(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.num_envs = integer("num_envs", num_envs, 1)
        self._screen = Screen(game, render_mode)
        self.render_mode = render_mode
        limit = max_episode_steps
        self.max_episode_steps = None if limit is None else integer("max_episode_steps", limit, 1)
        self.batch = Batch(learner_session(game, self.role, mechanism, participants), self.num_envs)
        self._steps = np.zeros(self.num_envs, int)
        self._choices = Choices(game, self.role, discretise, clip_actions)
        self._key = mask_key(mask_in_observation)
        self.single_observation_space = observation_space(
            game, self.role, self._choices.space, key=self._key, flagged=game.seats_take_turns
        )
        self.single_action_space = self._choices.space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._who = tuple(f"game {i}" for i in range(self.num_envs))

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start every game anew, or those of a mask.

        Args:
            seed: one number for the whole batch, which draws together; or one a game (None for entropy), each of
                which then plays as the single env with that seed does, and draws by itself, which is slower. None goes
                on with the numbers of the seed before.
            options: ``reset_mask``, bool (num_envs,): the games to start anew, one at least; the others stay where
                they are, and infos tell nothing of them. A seed that comes with a mask is one a game: ``seed + i``
                for game i. Other keys are not read.
        """
        mask = self._reset_mask(options)
        if isinstance(seed, (list, tuple)) and seed and all(s is None for s in seed):
            seed = None
        seeds = self._seeds(seed, masked=mask is not None)
        if mask is None:
            forget_entropy(self, seed)
            if seeds is not None:
                old = self.batch.rng.generators if isinstance(self.batch.rng, Streams) else [None] * self.num_envs
                pairs = zip(seeds, old, strict=True)
                self.batch.begin(
                    Streams([kept if s is None and kept else np.random.default_rng(s) for s, kept in pairs])
                )
            elif seed is None and isinstance(self.batch.rng, Streams):
                self.batch.begin(self.batch.rng)
            else:
                super().reset(seed=None if seed is None else seed_number("seed", seed))
                self.batch.begin(self.np_random)
            self._steps[:] = 0
        else:
            self.batch.require_begun()
            if seeds is not None:
                self._seeded = True
                which = [i for i in np.flatnonzero(mask).tolist() if seeds[i] is not None]
                self.batch.reseed({i: np.random.default_rng(seeds[i]) for i in which})
            self._restart(mask)
        self._print()
        return self._observe(mask)

    def _reset_mask(self, options: Mapping[str, Any] | None) -> np.ndarray | None:
        if options is not None and not isinstance(options, Mapping):
            raise ParameterError(f"options is {brief(options)}, allowed: None, or a dict with 'reset_mask'")
        mask = (options or {}).get("reset_mask")
        if mask is None:
            return None
        fits = isinstance(mask, np.ndarray) and mask.shape == (self.num_envs,) and mask.dtype == bool
        if not fits or not mask.any():
            given = f"{mask.dtype} {mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            found = "all False" if fits else given
            raise ParameterError(
                f"options['reset_mask'] is {found}, allowed: a NumPy array of bool ({self.num_envs},) with one True"
            )
        return np.array(mask)

    def _seeds(self, seed: Any, masked: bool) -> list[int | None] | None:
        """Return one seed a game, None where one number or none is given for all."""
        if isinstance(seed, (list, tuple)) or (isinstance(seed, np.ndarray) and seed.ndim):
            if len(seed) != self.num_envs:
                raise ParameterError(
                    f"seed has {counted(len(seed), 'number')}, allowed: one, or one for each of {self.num_envs}"
                )
            return [None if s is None else seed_number(f"seed[{i}]", s) for i, s in enumerate(seed)]
        if not masked or seed is None:
            return None
        first = seed_number("seed", seed)
        return [first + i for i in range(self.num_envs)]

    def _restart(self, mask: np.ndarray) -> None:
        self.batch.restart(mask)
        self._steps[mask] = 0

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Play the learner's turn in every game and everything up to its next turn."""
        self.batch.require_begun()
        over = self._over
        ended = bool(np.count_nonzero(over))
        if ended:
            if self.autoreset_mode == AutoresetMode.DISABLED:
                raise ActionError(
                    f"game {int(np.argmax(over))} is over: call reset(options={{'reset_mask': mask}}) first"
                )
            actions = _ignoring(actions, over, self.single_action_space)
        checked = check_actions(self.game, self.role, self._choices.sent(actions, self._who), self._who)
        self.batch.step(checked[:, None])
        self._steps += 1
        if ended:
            self._restart(over)
        terminated, truncated = self._flags()
        if self.max_episode_steps is not None:
            cut = (self._steps >= self.max_episode_steps) & ~terminated
            if cut.any():
                self.batch.cut(cut)
                truncated |= cut
        rewards = self.batch.gather(lambda session: session.rewards[self.role][:, 0].copy())
        final: dict[str, Any] = {}
        if self.autoreset_mode == AutoresetMode.SAME_STEP and (over := terminated | truncated).any():
            final = self._final(over)
            self._restart(over)
        self._print()
        observation, infos = self._observe()
        return observation, rewards, terminated, truncated, {**final, **infos}

    def _flags(self) -> tuple[np.ndarray, np.ndarray]:
        """Flag the terminated and the truncated games, in new arrays."""
        flags: tuple[np.ndarray, np.ndarray] = self.batch.gather(
            lambda session: (session.terminated.copy(), session.truncated.copy())
        )
        return flags

    def action_masks(self) -> np.ndarray:
        """Mask the legal actions of each learner, bool (num_envs, n_actions).

        Raises:
            UnsupportedGameError: if the learner's actions are not Discrete.
        """
        marked: np.ndarray = self.batch.gather(
            lambda session: learner_masks(self.game, session.state, self.role, self.single_action_space)
        )
        return marked

    @property
    def _over(self) -> np.ndarray:
        terminated, truncated = self._flags()
        over: np.ndarray = terminated | truncated
        return over

    def _observations(self) -> tuple[Any, dict[str, np.ndarray]]:
        """Return the observations and infos of all games."""

        def seen(session: Session) -> tuple[Any, dict[str, np.ndarray]]:
            state = session.state
            mask = masks(self.game, state, self.role, self._choices.space, everywhere=self._key is not None)
            infos = {name: np.asarray(value) for name, value in self.game.infos(state).items()}
            own = learner_obs(self.game, state, self.role)
            return observation(own, None if mask is None else mask[:, 0], self._key, infos)

        found: tuple[Any, dict[str, np.ndarray]] = self.batch.gather(seen)
        return found

    def _observe(self, mask: np.ndarray | None = None) -> tuple[Any, dict[str, Any]]:
        observation, infos = self._observations()
        return observation, _masked_infos(infos, mask, self.num_envs)

    def _final(self, over: np.ndarray) -> dict[str, Any]:
        """Return the last observations and infos of games that are over, as Gymnasium's vectors give them."""
        observation, infos = self._observations()
        last = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(over).tolist():
            last[i] = map_arrays(lambda array, i=i: array[i], observation)
        return {
            "final_obs": last,
            "_final_obs": over.copy(),
            "final_info": _masked_infos(infos, over, self.num_envs),
            "_final_info": over.copy(),
        }

    @property
    def session(self) -> Session:
        """The session of game 0, which holds all games at the same turn."""
        return self.batch.session

    def _print(self) -> None:
        session = self.session  # game 0 is the first in it
        self._screen.print_frame(session.state, bool(session.terminated[0] | session.truncated[0]))

    def render(self) -> Any:
        """Return every game as text or image, by ``render_mode``; None without one, and for ``human``."""
        self.batch.require_begun()
        if self.render_mode in (None, "human"):
            return None
        over, frames = self._over, []
        for game in range(self.num_envs):
            session, index = self.batch.place_of(game)
            frames.append(self._screen.frame(session.state, index, bool(over[game])))
        return tuple(frames)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Return an attribute of every game, or what a method of that name returns for it, as Gymnasium's vectors do.

        The games share their attributes; ``action_space`` and ``observation_space`` are those of one game.

        Raises:
            ParameterError: for ``reset`` and ``step``, which games take together.
        """
        if name in ("reset", "step"):
            raise ParameterError(f"games of a vector {name} together: call its own {name}()")
        found = getattr(self, f"single_{name}" if name in ("action_space", "observation_space") else name)
        if callable(found):
            found = found(*args, **kwargs)
            if name in ("render", "action_masks") and found is not None:
                return tuple(found)
        return (found,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of every game."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of all games, which share it: one value, or a list of as many equal ones.

        Raises:
            ParameterError: if a list has another length, or the values differ.
        """
        if isinstance(values, (list, tuple)):
            if len(values) != self.num_envs or not all(_same(value, values[0]) for value in values):
                raise ParameterError(
                    f"{name} has {len(values)} values for {self.num_envs} games that share one, allowed: one value"
                )
            values = values[0]
        setattr(self, name, values)

    def close_extras(self, **kwargs: Any) -> None:
        """Nothing is held open."""


def _same(one: Any, other: Any) -> bool:
    """Test two values for equality; values that cannot be compared, such as dicts of arrays, count as unequal."""
    try:
        return one is other or bool(np.array_equal(one, other))
    except (TypeError, ValueError):
        return False


def _masked_infos(infos: Mapping[str, np.ndarray], mask: np.ndarray | None, num: int) -> dict[str, Any]:
    """Return infos (B, ...) of the games of a mask, zeros elsewhere, each beside the mask as Gymnasium's vectors do."""
    found: dict[str, Any] = {}
    for name, value in infos.items():
        if mask is None:
            found[name], found[f"_{name}"] = value, np.ones(num, bool)
        else:
            found[name] = np.zeros_like(value)
            found[name][mask] = value[mask]
            found[f"_{name}"] = mask.copy()
    return found


def _ignoring(actions: Any, over: np.ndarray, space: gymnasium.Space[Any]) -> Any:
    """Replace the actions of games that are over (B,) by valid ones."""
    filler: Any = space.low if isinstance(space, gymnasium.spaces.Box) else space.start  # type: ignore[attr-defined]
    if isinstance(actions, np.ndarray):
        if actions.shape != (len(over), *(space.shape or ())):
            return actions  # refused by the check that follows
        filled = actions.copy()
        filled[over] = filler
        return filled
    if not isinstance(actions, (list, tuple)) or len(actions) != len(over):
        return actions
    return [filler if ended else action for action, ended in zip(actions, over.tolist(), strict=True)]


def make_vector_env(game: str, **kwargs: Any) -> GameVectorEnv:
    """Return the VectorEnv of a registered game; keywords are the view's or the game's parameters."""
    return make_view(GameVectorEnv, game, kwargs)
