"""What given policies make is checked before the rules see it."""

import numpy as np
import pytest

from lawgiver.envs.core.errors import ActionError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.views.parallel import GameParallelEnv
from lawgiver.envs.views.single import GameEnv


class Given:
    """A given policy that makes whatever it is told to."""

    def __init__(self, made):
        self.made = made

    def initial_state(self, batch, rng):
        return None

    def distribution(self, obs, mask, state):
        raise NotImplementedError

    def act(self, obs, mask, state, rng):
        return self.made, state


class Outcome(Given):
    """The same, as an outcome."""

    def outcome(self, obs, mask, state, rng):
        return self.made, state


TWO = {"name": "public_investment", "endowments": (3, 2)}
ANNOUNCE = {**TWO, "mechanism_mode": "announce"}
TAX = {"name": "taxed_dilemma"}
LATE_TAX = {**TAX, "mechanism_mode": "allocate"}
FINE = {"participant_0": 1, "participant_1": 0, "mechanism": np.array([1.0], np.float32)}


def play(params, role, policy):
    env = GameParallelEnv(make_game(**params), **{"mechanism" if role == "mechanism" else "participants": policy})
    env.reset(seed=0)
    size = {"mechanism": env.game.action_space("mechanism").shape}
    env.step({a: np.ones(size[a], np.float32) if a in size else FINE[a] for a in env.agents})
    return env


@pytest.mark.parametrize(
    ("params", "role", "policy", "message"),
    [
        (TWO, "mechanism", Outcome(np.array([[0.7, 0.7]])), r"mechanism of public_in.*do not sum to 1: \[0\.7 0\.7\]"),
        (TWO, "mechanism", Outcome(np.array([[1.5, -0.5]])), "negative"),
        (TWO, "mechanism", Outcome(np.array([[np.nan, 1.0]])), "is not finite"),
        (TWO, "mechanism", Outcome(np.array([0.5, 0.5])), r"is float64 \(2,\), not numbers \(1, 2\)"),
        (TWO, "mechanism", Outcome([[0.5, 0.5]]), "is list"),
        (TWO, "mechanism", Given(np.array([[[0.0, 10.5]]])), r"mechanism of public_investment-v0 acts outside Box"),
        (TWO, "mechanism", Given(np.array([[[0.0, np.nan]]])), "NaN or outside"),
        (TWO, "mechanism", Given(np.array([[0.0, 1.0]])), r"\(1, 2\) instead of \(1, 1, 2\)"),
        (TWO, "mechanism", Given(None), "they are NoneType"),
        (ANNOUNCE, "mechanism", Outcome(np.array([[13.0, 0.0]])), "holds rules outside Box"),
        (ANNOUNCE, "participant", Given(np.array([[4, 0]])), r"participant of public_investment-v0 acts outside Disc"),
        (ANNOUNCE, "participant", Given(np.array([[-1, 0]])), "outside"),
        (ANNOUNCE, "participant", Given(np.array([[1.0, 0.0]])), "they are float64"),
        (ANNOUNCE, "participant", Outcome(np.array([[2.0, 3.0]])), "below 0 or above the endowment"),
        (LATE_TAX, "mechanism", Outcome(np.array([[1.5]])), r"tax rate outside \[0, 1\]"),
        (TAX, "participant", Outcome(np.array([[0.5, 1.0]])), "choices other than 0 and 1"),
    ],
)
def test_what_a_given_policy_makes_is_checked(params, role, policy, message):
    with pytest.raises(ActionError, match=message):
        play(params, role, policy)


def test_another_form_is_noticed_later_too():
    policy = Outcome(np.array([[0.5, 0.5]]))
    env = play(TWO, "mechanism", policy)
    policy.made = np.array([0.5, 0.5])
    with pytest.raises(ActionError, match="is float64"):
        env.step({"participant_0": 1, "participant_1": 1})


def test_partners_are_checked_too():
    partners = Given(np.array([[0, 9]]))
    env = GameEnv(make_game(**TWO), role="participant", mechanism="libertarian", participants=partners)
    env.reset(seed=0)
    with pytest.raises(ActionError, match=r"given to the participant .* acts outside"):
        env.step(0)


def test_bounds_may_be_used_to_the_last_digit():
    play(TWO, "mechanism", Outcome(np.array([[1.0, 0.0]], np.float32)))
    play(TWO, "mechanism", Given(np.array([[[-10.000000000000004, 10.0]]])))
    play(ANNOUNCE, "participant", Outcome(np.array([[3.0, 0.0]])))


def test_contributions_below_nothing_are_nothing():
    game = make_game(**TWO)
    state = game.initial_state(1, np.random.default_rng(0))
    assert game.outcome(state, np.array([[-4, 5]])).tolist() == [[0, 2]]
