"""``check_game`` finds what is wrong with deliberately broken games, and says so in one line."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from lawgiver.envs.core.arrays import namespace, uniform
from lawgiver.envs.core.errors import ActionError
from lawgiver.envs.core.fields import columns
from lawgiver.envs.core.objectives import surplus
from lawgiver.envs.core.recorded import Recorded
from lawgiver.envs.core.validation import check_actions
from lawgiver.envs.public_investment import PublicInvestment
from lawgiver.envs.taxed_dilemma import TaxedDilemma
from lawgiver.envs.testing.views import check_bad_actions, check_memory
from lawgiver.envs.views import aec, parallel, single, vector
from lawgiver.envs.views.session import Session
from lawgiver.testing import GameCheckError, check_game


@dataclass(frozen=True)
class MaskTooNarrow(PublicInvestment):
    """Plays more than its mask allows."""

    def legal_actions(self, state, role):
        mask = super().legal_actions(state, role)
        return mask if mask is None else mask & (np.arange(mask.shape[-1]) < 2)


@dataclass(frozen=True)
class MaskTooWide(PublicInvestment):
    """Allows by its mask what it cuts off."""

    def legal_actions(self, state, role):
        mask = super().legal_actions(state, role)
        return mask if mask is None else mask | True


@dataclass(frozen=True)
class OutOfBounds(PublicInvestment):
    """Shows the round after next."""

    def observe(self, state, role):
        return super().observe(replace(state, round=state.round + 2), role)


@dataclass(frozen=True)
class PaysTooMuch(PublicInvestment):
    """Declares budget balance and gives everybody a tenth of a point."""

    def advance(self, state, outcome, draws):
        state, rewards, terminated, truncated = super().advance(state, outcome, draws)
        return replace(state, payoffs=state.payoffs + 0.1), rewards, terminated, truncated


@dataclass(frozen=True)
class DoublesRewards(PublicInvestment):
    """Pays participants twice what its state and its budget say."""

    def advance(self, state, outcome, draws):
        state, rewards, terminated, truncated = super().advance(state, outcome, draws)
        return state, {**rewards, "participant": 2 * rewards["participant"]}, terminated, truncated


@dataclass(frozen=True)
class PunishesMechanism(TaxedDilemma):
    """Pays the mechanism something else than the objective that it names."""

    def advance(self, state, outcome, draws):
        state, rewards, terminated, truncated = super().advance(state, outcome, draws)
        return state, {**rewards, "mechanism": -7 * rewards["mechanism"]}, terminated, truncated


@dataclass(frozen=True)
class PaysTwice(TaxedDilemma):
    """Pays the last round's payoffs once more before the next is played."""

    def advance(self, state, outcome, draws):
        before = state.payoffs
        state, rewards, terminated, truncated = super().advance(state, outcome, draws)
        return state, {**rewards, "participant": rewards["participant"] + before}, terminated, truncated


@dataclass(frozen=True)
class HiddenDice(TaxedDilemma):
    """Throws dice of its own."""

    def advance(self, state, outcome, draws):
        state, rewards, terminated, truncated = super().advance(state, outcome, draws)
        paid = rewards["participant"] + np.random.default_rng().random(rewards["participant"].shape)
        return state, {**rewards, "participant": paid}, terminated, truncated


@dataclass(frozen=True)
class GlobalDice(TaxedDilemma):
    """Draws from NumPy's global generator."""

    def draw(self, batch, rng):
        np.random.random(batch)
        return super().draw(batch, rng)


@dataclass(frozen=True)
class LeakyBatch(PublicInvestment):
    """Lets one game's payoffs depend on the others'."""

    def advance(self, state, outcome, draws):
        state, rewards, terminated, truncated = super().advance(state, outcome, draws)
        relative = rewards["participant"] - namespace(state.payoffs).mean(rewards["participant"])
        return state, {**rewards, "participant": relative}, terminated, truncated


@dataclass(frozen=True)
class WrongHorizon(PublicInvestment):
    """Says that it is over one step before it is."""

    @property
    def max_steps(self):
        return super().max_steps - 1


@dataclass(frozen=True)
class EndsEarly(PublicInvestment):
    """Is over before the horizon that it declares as known."""

    def advance(self, state, outcome, draws):
        state, rewards, terminated, truncated = super().advance(state, outcome, draws)
        return state, rewards, terminated | (state.round >= 5), truncated


@dataclass(frozen=True)
class HorizonDenied(PublicInvestment):
    """Declares an unknown horizon and ends after ten rounds, always."""

    horizon_known = False


@dataclass(frozen=True)
class Overwrites(TaxedDilemma):
    """Writes into the state that it is given."""

    def advance(self, state, outcome, draws):
        state.round[...] += 1
        return super().advance(state, outcome, draws)


@dataclass(frozen=True)
class OtherOnTorch(PublicInvestment):
    """Rounds differently on PyTorch."""

    def advance(self, state, outcome, draws):
        state, rewards, terminated, truncated = super().advance(state, outcome, draws)
        if type(state.payoffs) is not np.ndarray:
            rewards = {role: namespace(reward).round(reward) for role, reward in rewards.items()}
        return state, rewards, terminated, truncated


@dataclass(frozen=True)
class DrawsOnNumPyOnly(TaxedDilemma):
    """Asks the generator for numbers as only NumPy's can be asked."""

    def draw(self, batch, rng):
        return {"going_on": rng.random((batch,))}


@dataclass(frozen=True)
class LeavesTorch(TaxedDilemma):
    """Takes its draws over to NumPy, whatever the generator."""

    def draw(self, batch, rng):
        return {"going_on": np.asarray(super().draw(batch, rng)["going_on"])}


@dataclass(frozen=True)
class DrawsFewerInBatches(TaxedDilemma):
    """Draws once more where it is played alone."""

    def draw(self, batch, rng):
        return super().draw(batch, rng) | ({"idle": uniform(rng, (batch,))} if batch == 1 else {})


@dataclass(frozen=True)
class BeginsOnNumPy(TaxedDilemma):
    """Puts an array of NumPy into every initial state."""

    def initial_state(self, batch, rng):
        return replace(super().initial_state(batch, rng), tax=np.zeros((batch, 1)))


@dataclass(frozen=True)
class ChangesDtype(TaxedDilemma):
    """Goes over to double precision in its first step."""

    def advance(self, state, outcome, draws):
        after, rewards, terminated, truncated = super().advance(state, outcome, draws)
        return (
            replace(after, tax=after.tax.double() if hasattr(after.tax, "double") else after.tax),
            rewards,
            terminated,
            truncated,
        )


@dataclass(frozen=True)
class Raises(PublicInvestment):
    """Fails inside one of its own methods."""

    def deficit(self, state):
        return 1 / 0 * state.payoffs


@dataclass(frozen=True)
class CutGradient(PublicInvestment):
    """Loses the gradient through the weights."""

    def outcome(self, state, actions):
        made = super().outcome(state, actions)
        return made if type(made) is np.ndarray else made.detach()


@dataclass(frozen=True)
class NotConstant(TaxedDilemma):
    """Declares a constant sum that it does not have."""

    sum_type = "constant"


@dataclass(frozen=True)
class NotIdentical(TaxedDilemma):
    """Declares that both earn the same, whoever defects."""

    sum_type = "identical"


@dataclass(frozen=True)
class ForgetsVersion(TaxedDilemma):
    """Has a new version and does not say what it brought."""

    name = "taxed_dilemma-v1"


@dataclass(frozen=True)
class PaysStrangers(TaxedDilemma):
    """Says what a role is paid that it does not have."""

    reward_meaning = {"taxman": "a wage"}  # noqa: RUF012


@dataclass(frozen=True)
class SaysNothingOfPay(TaxedDilemma):
    """Does not say what the mechanism is paid."""

    reward_meaning = {"participant": "the round's payoff"}  # noqa: RUF012


@dataclass(frozen=True)
class NamesNoObjective(TaxedDilemma):
    """Pays the mechanism an objective that it does not name."""

    def __post_init__(self):
        """Leave the objective unchecked."""

    def measure(self, state):
        """Pay it all the same."""
        return surplus(state)

    def __getattribute__(self, name):
        if name == "objective":
            raise AttributeError(name)
        return super().__getattribute__(name)


@dataclass(frozen=True)
class PaysOnAnnouncement(TaxedDilemma):
    """Pays the mechanism for its announcement, when no round is over."""

    def advance(self, state, outcome, draws):
        after, rewards, terminated, truncated = super().advance(state, outcome, draws)
        bonus = outcome if state.turn == 0 else 0 * rewards["mechanism"]
        return after, {**rewards, "mechanism": rewards["mechanism"] + bonus}, terminated, truncated


@dataclass(frozen=True)
class HidesTax(TaxedDilemma):
    """Announces a tax that participants do not see before they choose, and pay all the same."""

    def observe(self, state, role):
        return super().observe(replace(state, tax=0 * state.tax), role)


@dataclass(frozen=True)
class HidesRule(PublicInvestment):
    """Announces weights and shows the last round's."""

    mechanism_mode: str = "announce"

    def observe(self, state, role):
        seen = super().observe(state, role)
        rules = [at for name, at in columns(self.observation_layout(role)).items() if name.startswith("rule_")]
        for at in rules:
            seen = namespace(seen).concat([seen[..., : at.start], 0 * seen[..., at], seen[..., at.stop :]], axis=-1)
        return seen


@dataclass(frozen=True)
class RecordsNoPayouts(PublicInvestment):
    """Declares that nothing is paid beside what is kept."""

    recorded = Recorded("endowments", "contributions")


@dataclass(frozen=True)
class RecordsStrangers(PublicInvestment):
    """Declares a field that participants do not see."""

    recorded = Recorded("coins", "contributions", "payouts")


@dataclass(frozen=True)
class RecordsUnseen(PublicInvestment):
    """Shows no endowments before participants choose."""

    recorded = Recorded("endowments", "contributions", "payouts")

    def observe(self, state, role):
        seen = super().observe(state, role)
        return seen if role == "mechanism" or state.turn else 0 * seen


@dataclass(frozen=True)
class MisspellsPhase(TaxedDilemma):
    """Says that a role acts that it does not have."""

    def phase(self, state):
        return super().phase(state).replace("mechanism", "mechansim")


@pytest.mark.parametrize(
    ("game", "complaint"),
    [
        (MaskTooNarrow(), r"the illegal action 2 of participant_0 is not played as the nearest legal one"),
        (MaskTooWide(), r"two actions of participant_1 that its mask calls legal are played as one"),
        (OutOfBounds(), r"at step 18 the observation 'round' of participant spans .* its bounds are"),
        (PaysTooMuch(), r"the budget is off by 0.4, though declared balanced"),
        (DoublesRewards(), r"at step 1 the reward of participant is off the state's payoffs by"),
        (PunishesMechanism(), r"at step 1 the reward of mechanism is off the state's objective 'log_nash_welfare' by"),
        (PaysTwice(), r"at step 2 the reward of participant is off the state's payoffs by"),
        (HiddenDice(), r"the same seed gives another step 0: hidden randomness or state"),
        (GlobalDice(), r"global random generator"),
        (LeakyBatch(), r"at step 1 game 0 goes otherwise alone than in a batch"),
        (WrongHorizon(), r"not over after the max_steps = 19"),
        (EndsEarly(), r"over after 10 steps, the known horizon is 20"),
        (HorizonDenied(), r"terminated after exactly 20 steps, though the horizon is declared as not known"),
        (Overwrites(), r"a step writes into the state"),
        (OtherOnTorch(), r"at step 1 PyTorch differs from NumPy by"),
        (DrawsOnNumPyOnly(), r"check_torch_play fails: AttributeError: .*Generator.* no attribute 'random'"),
        (LeavesTorch(), r"draw with a torch.Generator makes 'going_on' a ndarray, not a tensor"),
        (DrawsFewerInBatches(), r"a game alone draws numbers of shape \(1,\), in a batch of \(1, 2\)"),
        (BeginsOnNumPy(), r"initial_state with a torch.Generator makes 'tax' a ndarray, not a tensor"),
        (ChangesDtype(), r"step 0 with a torch.Generator makes 'tax' of torch.float64, torch's default for"),
        (Raises(), r"check_payments fails: ZeroDivisionError: division by zero"),
        (CutGradient(), r"at step 1 a gradient is off its central difference"),
        (NotConstant(), r"sums differ by .*, declared constant"),
        (NotIdentical(), r"participants earn differently at step 1, declared as identical"),
        (ForgetsVersion(), r"its versions are \['v0'\], the last should be v1"),
        (PaysStrangers(), r"it says what \['taxman'\] are paid"),
        (SaysNothingOfPay(), r"its reward_meaning does not say what \['mechanism'\] are paid"),
        (NamesNoObjective(), r"it does not name the objective that its mechanism is paid: allowed: .*surplus"),
        (PaysOnAnnouncement(), r"at step 0 the reward of mechanism is off the state's objective 'log_nash_welfare' by"),
        (HidesTax(), r"participants do not see what the mechanism announced at step 0, which changes their pay"),
        (RecordsNoPayouts(), r"endowment - contribution \+ payout is off by .* from what participants earn"),
        (RecordsStrangers(), r"recorded names \['coins'\], which are no fields of participants"),
        (RecordsUnseen(), r"its legal actions are not 0 to the endowment that is recorded"),
        (HidesRule(), r"participants do not see what the mechanism announced at step 0, which changes their pay"),
        (
            MisspellsPhase(),
            r"phase\(state\) says 'mechansim' at step 0, .* none of its roles: did you mean 'mechanism'",
        ),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, str) else "",
)
def test_broken_games_are_found(game, complaint):
    with pytest.raises(GameCheckError, match=complaint) as error:
        check_game(game)
    assert str(error.value).startswith(game.name) and "\n" not in str(error.value)
    if "fails" in str(error.value):
        assert error.value.__cause__ is not None, "what the game raised is shown as well"
    assert isinstance(error.value, AssertionError) and isinstance(error.value, ValueError)


def _cut_to_bounds(game, role, actions, who):
    """Take what lies outside a Box as its nearest point."""
    space = game.action_space(role)
    if hasattr(space, "high") and len(actions) == len(who):
        actions = [
            np.clip(action, space.low, space.high)
            if isinstance(action, np.ndarray) and action.dtype.kind == "f" and action.shape == space.shape
            else action
            for action in actions
        ]
    return check_actions(game, role, actions, who)


def _blame_nobody(game, role, actions, who):
    """Refuse without saying whose action it is."""
    try:
        return check_actions(game, role, actions, who)
    except ActionError:
        raise ActionError(f"bad action, allowed: {game.action_space(role)}") from None


@pytest.mark.parametrize(
    ("module", "view", "other"),
    [
        (parallel, r"parallel view", "participant_3"),
        (aec, r"AEC view", "participant_3"),
        (single, r"Gymnasium view", "participant_0"),
        (vector, r"vector view", "game 1"),
    ],
    ids=["parallel", "aec", "single", "vector"],
)
def test_views_that_take_bad_actions_are_found(module, view, other, monkeypatch):
    if module is not aec:  # the parallel view below it would refuse what it lets through
        monkeypatch.setattr(module, "check_actions", _cut_to_bounds)
        with pytest.raises(GameCheckError, match=rf"{view}, .* taken without an error"):
            check_bad_actions(PublicInvestment())
    monkeypatch.setattr(module, "check_actions", _blame_nobody)
    with pytest.raises(GameCheckError, match=rf"{view}, .* the error does not name {other}"):
        check_bad_actions(PublicInvestment())


def test_a_session_that_mixes_up_memories_is_found(monkeypatch):
    check_memory(TaxedDilemma(continuation=0.5))
    reset, restore = Session.reset, Session.restore

    def restores(self, kept):
        state, memory, *rest = kept
        restore(self, (state, self.memory or memory, *rest))

    monkeypatch.setattr(Session, "restore", restores)
    with pytest.raises(GameCheckError, match=r"that has acted \d+ times in its game remembers"):
        check_memory(TaxedDilemma(continuation=0.5))
    monkeypatch.setattr(Session, "restore", restore)

    def goes_on(self, batch):
        before = dict(self.memory)
        reset(self, batch)
        self.memory = before or self.memory

    monkeypatch.setattr(Session, "reset", goes_on)
    with pytest.raises(GameCheckError, match=r"that has acted 0 times in its game remembers \[10\]"):
        check_memory(PublicInvestment())
