"""The election: who rules when, what people live through, how votes become rewards; and elections held by trainers."""

from dataclasses import dataclass

import gymnasium
import numpy as np
import pettingzoo
import pytest

from lawgiver.agents.policies import Memoryless
from lawgiver.envs.core.arrays import log_softmax, namespace
from lawgiver.envs.core.errors import ActionError, LawgiverError, ParameterError, UnknownNameError, UnsupportedGameError
from lawgiver.envs.core.fields import columns, width
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.election.experience import experience_layout
from lawgiver.envs.election.game import Election
from lawgiver.trainers.evaluation.vote_shares import hold, shares, vote_share

BASE = {"name": "public_investment", "endowments": [[10, 4, 4, 4], [10, 8, 8, 8]], "n_rounds": 4}


@dataclass(frozen=True)
class Selfish:
    """Votes for whoever paid it more, by a softmax; ``scale`` 0 is a coin."""

    own: int
    scale: float = 1.0

    def log_probabilities(self, experience):
        return log_softmax(self.scale * namespace(experience).sum(experience[..., self.own], axis=-1))


def selfish(base, scale=1.0):
    return Selfish(columns(experience_layout(base))["payoffs"].start, scale)


@pytest.fixture
def election():
    return Election(base=BASE, voters=selfish(make_game(**BASE)))


def mechanisms(election, *names):
    return [make_policy(election.game, "mechanism", name) for name in names]


def final(election, *names, games=40, seed=0):
    rng = np.random.default_rng(seed)
    return hold(election, mechanisms(election, *names), election.game.initial_state(games, rng), rng)


def test_votes_become_rewards():
    env = pettingzoo.make("parallel", "lawgiver/election-v0", base=BASE)
    assert env.possible_agents == ["mechanism_0", "mechanism_1"]
    env.reset(seed=3)
    first = None
    for step in range(8):
        acting = env.unwrapped.acting_agents
        assert len(acting) == 1
        first = first or acting[0]
        assert (acting[0] == first) == (step < 4), "one game after the other"
        obs, rewards, over, _, infos = env.step({acting[0]: env.action_space(acting[0]).sample()})
    told = infos["mechanism_0"]
    assert all(over.values()) and not env.agents
    assert first == f"mechanism_{told['order'][0]}"
    votes = np.bincount(told["votes"], minlength=2) / 4
    assert [rewards["mechanism_0"], rewards["mechanism_1"]] == pytest.approx(votes - 0.5)
    assert told["vote_share"] == pytest.approx(votes)
    assert told["group_earned"] == pytest.approx(told["earned"].sum(axis=-1))
    assert obs["mechanism_0"].shape == (9,)  # endowments, contributions and the turn flag


def test_what_the_idle_mechanism_sends_is_ignored_and_it_sees_only_the_opening(election):
    rng = np.random.default_rng(0)
    state, other = (election.initial_state(30, np.random.default_rng(1)) for _ in range(2))
    for _ in range(election.max_steps):
        actions = rng.uniform(-5, 5, (30, 2, 4))
        acts = election.acts(state, "mechanism")
        assert (acts.sum(axis=1) == 1).all()
        seen = election.observe(state, "mechanism")
        assert not seen[~acts][:, 4:].any() and (seen[..., :4] == state.opening.endowments[:, None]).all()
        draws = election.draw(30, rng)
        noise = np.where(acts[..., None], actions, rng.uniform(-5, 5, actions.shape))
        state, paid, *_ = election.step(state, actions, draws)
        other, _, *_ = election.step(other, noise, draws)
    assert (state.earned == other.earned).all() and (state.votes == other.votes).all()
    assert paid["mechanism"].sum(axis=1) == pytest.approx(np.zeros(30))


def test_people_live_through_what_is_counted(election):
    state = final(election, "libertarian", "strict_egalitarian")
    game, at = election.game, columns(experience_layout(election.game))
    lived = election.experience(state)
    assert lived.shape == (40, 4, 2, 4, width(experience_layout(game)))
    assert lived[..., at["payoffs"].start].sum(axis=-1).transpose(0, 2, 1) == pytest.approx(state.earned)
    assert (lived[..., 0, at["round"]] == 1).all() and (lived[..., -1, at["round"]] == 4).all()
    contributed, paid = lived[..., at["contributions"]], lived[..., at["payouts"]]
    assert paid[:, :, 0] == pytest.approx(1.6 * contributed[:, :, 0]), "seat 0 is libertarian, whoever rules first"
    assert np.ptp(paid[:, :, 1], axis=-1) == pytest.approx(0)
    own_first = lived[..., at["payoffs"]][:, 2]
    assert own_first[..., 1:] == pytest.approx(lived[:, [0, 1, 3]][..., at["payoffs"].start].transpose(0, 2, 3, 1))


def test_order_is_counterbalanced_and_people_remember_the_first_game():
    people = {"policy": "simulated_people"}
    election = Election(base=BASE, participants=people)
    state = final(election, "liberal_egalitarian", "liberal_egalitarian", games=4_000)
    assert state.order.tolist() == [[0, 1], [1, 0]] * 2_000
    lived, at = election.experience(state), columns(experience_layout(election.game))
    begun = lived[..., 0, at["contributions"].start] / lived[..., 0, at["own_endowment"].start]
    by_seat = begun.transpose(0, 2, 1)
    means = [by_seat[np.arange(4_000), state.order[:, at]].mean() for at in (0, 1)]
    error = begun.std() / np.sqrt(begun.size / 2)
    assert means[1] - means[0] > 4 * error, "a good first game makes people begin the second with more"
    drawn = election.initial_state(2_000, np.random.default_rng(0)).order
    assert (np.sort(drawn, axis=1) == [0, 1]).all()
    assert abs(drawn[:, 0].mean() - 0.5) < 4 * 0.5 / np.sqrt(2_000)


def test_people_are_the_same_under_every_mechanism():
    class Stubborn(Memoryless):
        """Who gives what they drew at birth."""

        def initial_state(self, batch, rng):
            return rng.random((batch, 4))

        def distribution(self, obs, mask, state):
            given = np.floor(state * (obs[..., 0] + 1))
            return np.where(np.arange(11) == given[..., None], 0.0, -np.inf), state

        def act(self, obs, mask, state, rng):
            raise NotImplementedError

    state = final(Election(base=BASE, participants=Stubborn(), voters="random"), "libertarian", "libertarian")
    assert state.earned[:, 0] == pytest.approx(state.earned[:, 1])
    assert state.log_likelihood == pytest.approx(0)


@pytest.mark.parametrize("k", [2, 3])
def test_a_coin_is_a_tie_and_a_better_mechanism_wins(k):
    base = make_game(**BASE)
    coin = Election(base=BASE, n_mechanisms=k, voters=selfish(base, 0.0))
    names = ["liberal_egalitarian", "strict_egalitarian", "libertarian"][:k]
    rng = np.random.default_rng(0)
    found = np.concatenate(list(shares(coin, mechanisms(coin, *names), 2_000, rng).values()))
    assert abs(found.mean() - 1 / k) < 4 * found.std() / np.sqrt(found.size)
    keen = Election(base=BASE, n_mechanisms=k, voters=selfish(base, 1.0))
    share = vote_share(keen, mechanisms(keen, *names), 500, rng)["pooled"]
    assert share.low is not None and share.high is not None and 1 / k < share.low < share.mean < share.high


def test_log_likelihood_is_of_the_choices_made(election):
    state = final(Election(base=BASE, participants="random", voters="random"), "libertarian", "libertarian")
    by_hand = -8 * np.log(state.opening.endowments + 1).sum(axis=1)  # four rounds in each of two games
    assert state.log_likelihood == pytest.approx(by_hand)


@pytest.mark.parametrize("mode", ["announce", "allocate"])
def test_second_game_with_ends_of_its_own(mode):
    base = {"name": "taxed_dilemma", "mechanism_mode": mode, "continuation": 0.5, "max_rounds": 6}
    election = Election(base=base, participants="full_contributor", voters="random")
    state = final(election, "libertarian", "libertarian", games=500)
    assert set(np.unique(state.earned)) <= {3.0 * rounds for rounds in range(1, 7)}, "both cooperate: 3 a round"
    lived = election.experience(state)
    payoffs = lived[..., columns(experience_layout(election.game))["payoffs"].start]
    assert payoffs.sum(axis=-1).transpose(0, 2, 1) == pytest.approx(state.earned)
    lengths = (payoffs[:, 0] > 0).sum(axis=-1)
    assert lengths.mean() == pytest.approx(sum(0.5**r for r in range(6)), abs=0.15)
    assert (np.diff((payoffs > 0).astype(int), axis=-1) <= 0).all(), "what is over does not begin again"


def test_one_mechanism_learns_in_gymnasium_while_another_rules():
    env = gymnasium.make(
        "lawgiver/election-v0", role="mechanism", mechanism="liberal_egalitarian", base=BASE, voters="random"
    )
    seen, _ = env.reset(seed=0)
    turns, over = [], False
    while not over:
        turns.append(seen[-1])
        seen, reward, over, _, info = env.step(np.zeros(4, np.float32))
    assert sorted(turns) == [0.0] * 4 + [1.0] * 4
    assert reward == pytest.approx(info["vote_share"][0] - 0.5)


class Faulty(Memoryless):
    """A mechanism that gives what it is told to."""

    def __init__(self, weights):
        self.weights = np.array(weights, float)

    def distribution(self, obs, mask, state):
        raise NotImplementedError

    act = distribution

    def outcome(self, obs, mask, state, rng):
        late = obs[:, 0, 4:].sum(axis=1) > 25  # fair as long as little is given
        return np.where(late[:, None], self.weights, np.full(4, 0.25)), state


@pytest.mark.parametrize(
    ("weights", "fault"),
    [([-0.1, 0.5, 0.3, 0.3], "negative"), ([np.nan, 0.5, 0.3, 0.2], "finite"), ([0.3, 0.3, 0.3, 0.3], "sum to 1")],
)
def test_faulty_weights_are_an_error_at_any_play(weights, fault):
    election = Election(base=BASE, participants="full_contributor", voters="random")
    rng = np.random.default_rng(0)
    opening = election.game.initial_state(20, rng)
    with pytest.raises(ActionError, match=f"mechanism_1: .*{fault}"):
        hold(election, [*mechanisms(election, "libertarian"), Faulty(weights)], opening, rng)


def test_identical_mechanisms_tie_beside_a_bad_one():
    """People remember the game before, so that every order of three must be there as often as any other."""
    election = Election(base=BASE, n_mechanisms=3, voters={"policy": "experience", "sensitivity": 18})
    rules = mechanisms(election, "strict_egalitarian", "libertarian", "libertarian")
    rng = np.random.default_rng(0)
    state = hold(election, rules, election.game.initial_state(6_000, rng), rng)
    found = election.vote_shares(state)
    gap = found[:, 1] - found[:, 2]
    assert abs(gap.mean()) < 4 * gap.std() / np.sqrt(6_000)


def test_an_odd_number_of_elections_is_made_even():
    election = Election(base=BASE, voters="random")
    found = shares(election, mechanisms(election, "libertarian", "libertarian"), 3, np.random.default_rng(0))
    assert [len(values) for values in found.values()] == [4, 4]


class Counting(Memoryless):
    """Counts its turns."""

    def initial_state(self, batch, rng):
        return np.zeros((batch, 1))

    def distribution(self, obs, mask, state):
        return np.zeros((*obs.shape[:2], 2)) - np.log(2), state + 1

    def act(self, obs, mask, state, rng):
        raise NotImplementedError

    def outcome(self, obs, mask, state, rng):
        self.seen = state
        return np.full((len(obs), 4), 0.25), state + 1


def test_memories_run_only_while_there_is_something_to_remember():
    base = {"name": "taxed_dilemma", "continuation": 0.5, "max_rounds": 6}

    class Remembering(Counting):
        def next_game(self, memory):
            return memory

    election = Election(base=base, participants=Remembering(), voters="random")
    state = final(election, "libertarian", "libertarian", games=200)
    played = election.experience(state)[:, 0, ..., -1].sum(axis=(1, 2))
    assert state.memory[:, 0].tolist() == played.tolist() and len(set(played)) > 3
    election = Election(base=BASE, participants="random", voters="random")
    counting, rng = Counting(), np.random.default_rng(0)
    hold(election, [counting, *mechanisms(election, "libertarian")], election.game.initial_state(6, rng), rng)
    assert counting.seen.max() <= 4, "four rounds of its own, none of the other's"


def test_a_rival_in_a_view_remembers_its_own_rounds_alone():
    """A mechanism with a memory plays in a view as in an election that is held: what others rule leaves no trace."""

    class Drifting(Counting):
        outcome = None

        def act(self, obs, mask, state, rng):
            logits = np.zeros((len(obs), 1, 4))
            logits[:, 0, 0] = state[:, 0]
            return logits, state + 1

    people = {"participants": "random", "voters": "random"}
    env = gymnasium.make_vec(
        "lawgiver/election-v0", num_envs=40, role="mechanism", base=BASE, mechanism=Drifting(), **people
    )
    env.reset(seed=3)
    session, rounds = env.unwrapped.session, 4
    order = np.zeros(40)
    for turn in range(2 * rounds):
        acting = session.game.acts(session.state, "mechanism")
        order += acting[:, 1] * (turn < rounds)
        env.step(np.zeros((40, 4), np.float32))
        counts = session.memory["mechanism"][1][:, 0]
        np.testing.assert_array_equal(counts, np.where(order > 0, min(turn + 1, rounds), max(0, turn + 1 - rounds)))
    assert set(order) == {0, rounds}


@pytest.mark.parametrize(("who", "fault"), [("participants", "NaN"), ("voters", "NaN"), ("voters", "allowed: ")])
def test_what_is_no_probability_is_not_counted(who, fault):
    class Broken(Memoryless):
        def distribution(self, obs, mask, state):
            return np.full((*obs.shape[:2], 11), np.nan), state

        def act(self, obs, mask, state, rng):
            raise NotImplementedError

        def log_probabilities(self, experience):
            return np.full(experience.shape[:3] if fault == "NaN" else (1, 2), np.nan)

    people = {"participants": "random", "voters": "random"} | {who: Broken()}
    with pytest.raises(ActionError, match=f"the {who} of election-v0.*{fault}"):
        final(Election(base=BASE, **people), "libertarian", "libertarian")


def test_length_of_a_game_is_no_merit_and_losses_are_no_fairness():
    base = make_game("taxed_dilemma")
    voter = Election(base="taxed_dilemma", participants="random").voting
    at = columns(experience_layout(base))
    lived = np.zeros((1, 2, 2, 6, width(experience_layout(base))))
    lived[:, :, 0, :1, at["payoffs"]] = lived[:, :, 1, :, at["payoffs"]] = 3.0
    lived[:, :, 0, :1, at["played"]] = lived[:, :, 1, :, at["played"]] = 1.0
    assert np.exp(voter.log_probabilities(lived)) == pytest.approx(0.5)
    lived[..., at["payoffs"]] = np.array([1.0, -1.02]) / 6
    lived[:, :, 1, :, at["payoffs"]] = np.array([3.0, -3.04]) / 6
    lived[..., at["played"]] = 1.0
    assert np.exp(voter.log_probabilities(lived))[0, 0, 1] > 0.5, "three times as much is not worse"


def test_faulty_weights_on_torch_are_an_error_too():
    torch = pytest.importorskip("torch")

    class Negative(Faulty):
        def outcome(self, obs, mask, state, rng):
            return torch.tensor([-1.0, 1, 0.5, 0.5]).expand(len(obs), 4), state

    election, generator = Election(base=BASE, participants="random", voters="random"), torch.Generator().manual_seed(0)
    opening = election.game.initial_state(4, generator)
    with pytest.raises(ActionError, match=r"mechanism_1: .*negative"):
        hold(election, [*mechanisms(election, "libertarian"), Negative([1])], opening, generator)
    with pytest.raises(ParameterError, match="1 mechanisms stand for election"):
        hold(election, mechanisms(election, "libertarian"), opening, generator)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"base": "election"}, UnsupportedGameError, "mechanism"),
        ({"base": 3}, ParameterError, "base is 3"),
        ({"base": "public_investmen"}, UnknownNameError, "public_investment"),
        ({"base": {"name": "public_investment", "n_round": 3}}, ParameterError, "n_rounds"),
        ({"n_mechanisms": 1}, ParameterError, "n_mechanisms"),
        ({"participants": "nobody"}, UnknownNameError, "nobody"),
        ({"voters": "nobody"}, UnknownNameError, "experience"),
        ({"voters": {"policy": "experience", "sensitivty": 1}}, ParameterError, "sensitivity"),
        ({"voters": 3}, ParameterError, "voters are 3"),
        ({"base": "taxed_dilemma", "participants": "conditional_cooperators"}, UnsupportedGameError, "payouts"),
    ],
)
def test_bad_parameters_are_named(params, error, message):
    with pytest.raises(error, match=message):
        make_game("election", **params)


def test_same_seed_same_election(election):
    one, other = (final(election, "libertarian", "liberal_egalitarian", seed=5) for _ in range(2))
    assert (one.votes == other.votes).all() and (one.earned == other.earned).all()


def test_gradient_of_the_vote_share_is_that_of_many_elections():
    torch = pytest.importorskip("torch")
    from lawgiver.trainers.elections.gradients.election_designer import Frozen, surrogate

    base = {"name": "public_investment", "endowments": [4, 4], "n_rounds": 4}
    game = make_game(**base)
    election = Election(base=base, participants="simulated_people", voters=selfish(game, 0.5))

    class OneNumber(Memoryless):
        """Gives more to who has contributed more, the more so the larger ``theta`` is."""

        def __init__(self, theta):
            self.theta = theta

        def outcome(self, obs, mask, state, rng):
            logit = self.theta * (obs[:, 0, 2] - obs[:, 0, 3])
            return torch.stack([logit.sigmoid(), (-logit).sigmoid()], dim=-1), state

        def act(self, obs, mask, state, rng):
            raise NotImplementedError

        distribution = act

    games, at, step = 48_000, 0.3, 0.3
    generator = torch.Generator().manual_seed(0)
    theta = torch.tensor(at, requires_grad=True)
    rival = Frozen(OneNumber(torch.tensor(at)))
    estimates = []
    for _ in range(12):
        raised, _ = surrogate(election, OneNumber(theta), rival, games // 12, generator)
        estimates.append(float(torch.autograd.grad(raised, theta)[0]))
    with torch.no_grad():
        up, down = (
            surrogate(election, OneNumber(torch.tensor(at + sign * step)), rival, 4 * games, generator)[1].flatten()
            for sign in (1, -1)
        )
    difference = float(up.mean() - down.mean()) / (2 * step)
    noise = np.hypot(
        np.std(estimates, ddof=1) / np.sqrt(12), float((up.var() + down.var()).sqrt()) / np.sqrt(4 * games) / (2 * step)
    )
    assert abs(np.mean(estimates) - difference) < 4 * noise
    assert abs(difference) > 8 * noise, "the test can tell it from nothing"


DESIGNER = (
    "game.base={name: public_investment, endowments: [[5, 2], [3, 3]], n_rounds: 2}",
    "trainer={name: election_designer, updates: 4, batch: 8, log_every: 1, checkpoint_every: 2, games: 4}",
)


def test_designer_goes_on_as_if_it_had_not_been_stopped(tmp_path, undrawn, interrupted_and_whole):
    pytest.importorskip("torch")
    from lawgiver.trainers.elections.gradients.election_designer import Designer
    from lawgiver.trainers.evaluation.evaluate import evaluate

    _, logged = interrupted_and_whole("election_designer", DESIGNER, before=(Designer, "update", 4))
    assert logged == [1, 2, 3, 4]
    assert "liberal_egalitarian" in evaluate(tmp_path / "parts", games=8)["vote_share"]


def test_designer_needs_an_election_between_two(tmp_path):
    pytest.importorskip("torch")
    from lawgiver.trainers.runs import launch

    with pytest.raises(UnsupportedGameError, match="between two"):
        launch.train("election_designer", [*DESIGNER, "game.n_mechanisms=3", f"run_dir={tmp_path / 'a'}"])
    with pytest.raises(UnsupportedGameError, match="public_investment"):
        launch.train(
            "election_designer",
            [*DESIGNER, "game={name: election, base: taxed_dilemma, participants: random, voters: random}",
             f"run_dir={tmp_path / 'b'}"],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer.batch=7", "batch is 7"),
        ("trainer.batch=2", "batch is 2"),
        ("trainer.rivals=[nobody]", "nobody"),
        ("trainer.learning_rate=1.0e38", "learning_rate"),
    ],
)
def test_designer_names_what_is_wrong(tmp_path, override, message):
    pytest.importorskip("torch")
    from lawgiver.trainers.runs import launch

    with pytest.raises(LawgiverError, match=message):
        launch.train("election_designer", [*DESIGNER, override, f"run_dir={tmp_path / 'run'}"])
