"""The trainer ``commons``: planners, their gradient, their games, and the rules that are distilled from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import lawgiver
from lawgiver.agents.commons import FamilyOffers
from lawgiver.agents.planner import LearnedPlanner, planner
from lawgiver.agents.returned_fractions import ANY, EVERYTHING, NOTHING, ReturnedFraction
from lawgiver.envs.commons_trust.rule_family import family_offers
from lawgiver.envs.core.arrays import map_arrays
from lawgiver.envs.core.errors import LawgiverError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.core.rollout import rollout
from lawgiver.trainers.commons import evaluation
from lawgiver.trainers.commons.distillation import distil
from lawgiver.trainers.commons.evaluation import RULES, judged, played
from lawgiver.trainers.commons.exclusion import exclusions
from lawgiver.trainers.commons.learner import Discounted, Learner, Recorded, fair_welfare, on_the_continuum
from lawgiver.trainers.commons.plays import Plays, play
from lawgiver.trainers.commons.settings import CommonsTrainer, Evaluation
from lawgiver.trainers.runs import launch

GAME: Any = make_game("commons_trust")
SHORT = replace(GAME, n_rounds=4)


def learner(game: Any, **settings: Any) -> Learner:
    """Make a learner in double precision, whose planner has random weights."""
    smooth = on_the_continuum(game)
    made = planner(game, n_units=8, memory=4, seed=3)
    assert isinstance(made, LearnedPlanner)
    made.network.double()
    with torch.no_grad():
        for weights in made.network.parameters():
            weights += 0.1 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(weights.numel()))
    people: Any = make_policy(smooth, "participant", "simulated_people")
    rng = torch.Generator().manual_seed(0)
    return Learner(made, smooth, people, CommonsTrainer(name="commons", **settings), rng)


@pytest.fixture
def double() -> Any:
    """Let torch make numbers of double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("fairness", [0.0, 0.5, 1.0, 3.0])
def test_the_gradient_is_that_of_differences(double: Any, fairness: float) -> None:
    one = learner(SHORT, fairness=fairness, gradient_discount=1.0)
    start = one.rng.get_state()
    raised, _ = one.surrogate(16)
    raised.backward()
    for weights in (one.network.share.bias, one.network.held_back.bias, one.network.seen.weight):
        if weights is one.network.share.bias:
            continue  # shares do not change with what is added to all logits but the one of what is held back
        at = (0,) * weights.ndim
        assert weights.grad is not None
        ends = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                weights[at] += step
                one.rng.set_state(start)
                ends.append(one.surrogate(16)[1]["welfare"])
                weights[at] -= step
        assert float(weights.grad[at]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-3, abs=1e-7)


def test_a_smaller_discount_changes_the_gradient_and_not_the_games(double: Any) -> None:
    found = {}
    for discount in (1.0, 0.5):
        one = learner(SHORT, gradient_discount=discount)
        raised, measured = one.surrogate(16)
        raised.backward()
        found[discount] = one.network.held_back.bias.grad, measured
    assert found[1.0][1] == found[0.5][1]
    assert not torch.allclose(found[1.0][0], found[0.5][0])


@pytest.mark.parametrize(("kind", "mean"), [(EVERYTHING, 1.0), (ANY, 0.5)])
def test_kinds_of_returns_add_a_score_where_their_chances_move(double: Any, kind: int, mean: float) -> None:
    """Nothing with chance 1 - p, a kind of mean m with p: the mean is m p, its slope in the logit m p (1 - p)."""

    class Coin:
        logit = torch.tensor(0.3, requires_grad=True)

        def initial_state(self, batch: int, rng: Any) -> None: ...

        def distribution(self, obs: Any, mask: Any, state: Any) -> Any:
            raise NotImplementedError

        def act(self, obs: Any, mask: Any, state: Any, rng: Any) -> Any:
            raise NotImplementedError

        def fractions(self, obs: torch.Tensor, state: None) -> Any:
            p = torch.sigmoid(self.logit)
            chances = {NOTHING: 1 - p, kind: p}
            weights = torch.stack([chances.get(k, 0 * p) for k in range(4)]).expand(*obs.shape[:2], 4)
            one = torch.ones(*obs.shape[:2], 1)
            return ReturnedFraction(weights, one, one), state

    games = 4_000
    people: Any = Recorded(Coin())
    drawn, _ = people.act(torch.zeros(games, 1, 1), None, None, torch.Generator().manual_seed(1))
    value = drawn[:, 0, 0].detach()
    raised = drawn[:, 0, 0] + (value - value.mean()) * people.log_likelihood
    (slope,) = torch.autograd.grad(raised.mean(), Coin.logit)
    p = float(torch.sigmoid(Coin.logit.detach()))
    assert float(value.mean()) == pytest.approx(mean * p, abs=4 * (p * (1 - p) / games) ** 0.5)
    assert float(slope) == pytest.approx(mean * p * (1 - p), abs=4 * 0.25 / games**0.5)


def test_the_gradient_counts_what_offers_do_to_the_chances_of_returns(double: Any) -> None:
    """One round; all of an offer e is returned with chance e / 200, else nothing: e (1 - e / 200) is kept."""

    class Trusting:
        def initial_state(self, batch: int, rng: Any) -> None: ...

        def fractions(self, obs: torch.Tensor, state: None) -> Any:
            p = obs[..., 0] / 200
            one = torch.ones_like(p)[..., None]
            return ReturnedFraction(torch.stack([1 - p, p, 0 * p, 0 * p], -1), one, one), state

    one = learner(replace(GAME, n_rounds=1), fairness=0.0, gradient_discount=1.0)
    people: Any = Trusting()
    one.people = people
    offers, *_ = one.network.play(torch.tensor([200.0]), torch.zeros(1, 4), torch.zeros(1, 4))
    expected = (offers * (1 - offers / 200)).mean()
    (slope,) = torch.autograd.grad(expected, one.network.held_back.bias)
    found = []
    for _ in range(20):
        raised, measured = one.surrogate(2_000)
        found.append(float(torch.autograd.grad(raised, one.network.held_back.bias)[0]))
    assert measured["surplus"] == pytest.approx(float(expected.detach()), abs=4 * 25 / 8_000**0.5)
    assert np.mean(found) == pytest.approx(float(slope), abs=4 * np.std(found) / 20**0.5)
    assert abs(float(slope)) > 20 * np.std(found) / 20**0.5


def test_rounds_after_the_end_of_a_game_count_for_nothing(double: Any) -> None:
    """Games of at least one round, which go on with chance 0.5, by what was played."""
    one = learner(replace(GAME, continuation=0.5, n_rounds=30))
    start = one.rng.get_state()
    raised, measured = one.surrogate(64)
    one.rng.set_state(start)
    policies: Any = {"mechanism": one.planner, "participant": Recorded(one.people)}
    kept, pool = [[] for _ in range(64)], torch.zeros(64)
    for step in rollout(one.game, policies, one.game.initial_state(64, one.rng), one.rng):
        if step.role == "participant":
            for game in np.flatnonzero(step.alive.numpy()):
                kept[game].append(float(step.rewards["participant"][game].detach().mean()))
                pool[game] = step.after.pool[game].detach()
    assert len({len(each) for each in kept}) > 2
    assert measured["surplus"] == pytest.approx(np.mean([np.mean(each) for each in kept]), rel=1e-9)
    assert measured["sustained"] == pytest.approx(float((pool > 1).double().mean()))
    assert raised.isfinite()


def test_what_a_planner_remembers_passes_on_a_part_of_the_gradient_too() -> None:
    made: Any = planner(GAME, n_units=8, memory=4, seed=3)
    torch.nn.init.normal_(made.network.held_back.weight, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    found = {}
    for discount in (1.0, 0.25):
        obs = torch.full((1, 1, 9), 40.0, requires_grad=True)
        state = torch.zeros(1, 4, 4, requires_grad=True)
        offers, _ = Discounted(made, discount).act(obs, None, state, generator)
        found[discount] = torch.autograd.grad(offers.sum(), (obs, state))
    for whole, part in zip(found[1.0], found[0.25], strict=True):
        assert whole.abs().max() > 1e-5
        torch.testing.assert_close(part, 0.25 * whole)


def test_fair_welfare_by_hand() -> None:
    kept = torch.tensor([[4.0, 1.0]])
    guard = 1e-3
    assert float(fair_welfare(kept, 0.0)) == 2.5
    assert float(fair_welfare(kept, 0.5)) == pytest.approx(((4 + guard) ** 0.5 + (1 + guard) ** 0.5), rel=1e-6)
    assert float(fair_welfare(kept, 1.0)) == pytest.approx(np.log([4 + guard, 1 + guard]).mean(), rel=1e-6)
    assert float(fair_welfare(kept, 2.0)) == pytest.approx(-(1 / (4 + guard) + 1 / (1 + guard)) / 2, rel=1e-6)
    assert float(fair_welfare(kept, float("inf"))) == 1.0


@pytest.mark.parametrize("memory", [0, 4])
def test_planners_are_equivariant_keep_to_the_pool_and_are_one_on_both_backends(memory: int) -> None:
    made: Any = planner(GAME, memory=memory, seed=5)
    with torch.no_grad():
        made.network.share.weight += torch.randn(
            made.network.share.weight.shape, generator=torch.Generator().manual_seed(0)
        )
    rng = np.random.default_rng(0)
    offers = rng.uniform(0, 50, (64, 4)) * (rng.uniform(size=(64, 4)) < 0.7)
    obs = np.concatenate([offers, offers * rng.uniform(size=(64, 4)), rng.uniform(0, 200, (64, 1))], 1)[:, None]
    start = made.initial_state(64, rng)
    offered, state = made.act(obs, None, start, rng)
    assert (offered > 0).all() and (offered.sum(-1) < obs[..., -1]).all()
    order = np.array([2, 0, 3, 1])
    turned = obs.copy()
    turned[..., :4], turned[..., 4:8] = obs[..., order], obs[..., 4 + order]
    other, _ = made.act(turned, None, start, rng)
    np.testing.assert_allclose(other, offered[..., order], rtol=1e-4, atol=1e-4)
    on_torch, after = made.act(torch.tensor(obs), None, map_arrays(torch.tensor, start), torch.Generator())
    np.testing.assert_allclose(on_torch.detach().numpy(), offered, rtol=1e-6)
    assert (state is None) == (after is None) == (not memory)
    if memory:
        np.testing.assert_allclose(after.detach().numpy(), state, rtol=1e-6, atol=1e-7)
        again, _ = made.act(obs, None, state, rng)
        assert np.abs(again - offered).max() > 1e-3


def test_games_are_measured_by_hand() -> None:
    offers = np.array([[[2.0, 4.0], [0.5, 3.5]], [[1.0, 1.0], [np.nan, np.nan]]])
    returns = np.array([[[1.0, 1.0], [0.0, 0.5]], [[0.0, 1.0], [np.nan, np.nan]]])
    pools = np.array([[6.0, 4.0, 0.7], [2.0, 1.4, np.nan]])
    found = Plays(pools, offers, returns).measures()
    np.testing.assert_allclose(found["surplus"], [(0.75 + 3.0) / 2, 0.5])
    np.testing.assert_allclose(found["gini"], [2.25 / (2 * 3.75), 0.5])
    np.testing.assert_allclose(found["sustained"], [0.0, 1.0])
    np.testing.assert_allclose(found["excluded"], [0.25, 0.0])


def test_the_same_people_play_under_every_mechanism() -> None:
    people = make_policy(GAME, "participant", "simulated_people")
    equal, proportional = (
        play(GAME, make_policy(GAME, "mechanism", f"{name}_offers"), people, 40, np.random.default_rng(1))
        for name in ("equal", "proportional")
    )
    np.testing.assert_array_equal(equal.returns[:, 0], proportional.returns[:, 0])  # offers are equal at first
    assert (equal.returns[:, 5] != proportional.returns[:, 5]).any()


def test_games_that_end_at_random_are_padded() -> None:
    game = replace(GAME, continuation=0.5, min_rounds=2, n_rounds=30)
    people = make_policy(game, "participant", "simulated_people")
    plays = play(game, make_policy(game, "mechanism", "equal_offers"), people, 50, np.random.default_rng(0))
    rounds = np.isfinite(plays.offers[..., 0]).sum(1)
    assert plays.offers.shape == (50, 30, 4) and rounds.min() >= 2 and rounds.max() < 30
    assert rounds.mean() == pytest.approx(2 + 1.0, abs=4 * 2**0.5 / 50**0.5)  # two, and a geometric number of others
    assert np.isfinite(plays.final_pool).all() and np.isfinite(plays.kept).all()


@pytest.mark.parametrize("game", [GAME, replace(GAME, continuation=0.9, min_rounds=5)], ids=["40", "at random"])
@pytest.mark.parametrize("parameters", [(0.8, 4.0, 0.1), (1.0, 22.0, 0.0), (0.3, 1.0, 0.0)])
def test_a_rule_of_the_family_is_distilled_from_itself(parameters: tuple[float, ...], game: Any) -> None:
    people = make_policy(game, "participant", "simulated_people")
    plays = play(game, FamilyOffers(game, parameters), people, 60, np.random.default_rng(2))
    found = distil(game, plays)
    assert found.r2 == pytest.approx(1.0, abs=1e-6)
    pool = np.linspace(20, 200, 40)
    made, wanted = (np.maximum(f, w * (pool / 200) ** e) for w, e, f in (found.parameters, parameters))
    np.testing.assert_allclose(made, wanted, atol=2e-3)


def test_the_share_of_variance_is_that_of_the_nearest_rule() -> None:
    """Offers are a rule's but for 10 points to and fro that no rule of the family explains."""
    rng = np.random.default_rng(0)
    pools, returns = rng.uniform(100, 200, (400, 4)), rng.uniform(1, 20, (400, 3, 2))
    offers = family_offers(np.array([0.7, 2.0, 0.1]), pools[:, 1:3], returns[:, :2], 200.0)
    off = 10 * rng.choice([-1.0, 1.0], offers.shape)
    plays = Plays(pools, np.concatenate([np.zeros((400, 1, 2)), offers + off], axis=1), returns)
    assert distil(GAME, plays).r2 == pytest.approx(1 - 100 / np.var(offers + off), abs=0.01)


def test_nothing_is_distilled_from_empty_pools() -> None:
    nothing = np.zeros((3, 40, 4))
    with pytest.raises(UnsupportedGameError, match="none has a second round"):
        distil(GAME, Plays(np.zeros((3, 41)), nothing, nothing))


def test_exclusions_are_counted_by_hand() -> None:
    """One participant is excluded for two rounds and let in again, another from round 3 to the end."""
    offers = np.full((1, 6, 2), 10.0)
    offers[0, 1:3, 0] = 0.0
    offers[0, 3:, 1] = 0.0
    returns = 0.5 * offers
    returns[0, 0, 0] = 1.0  # a tenth, before the exclusion
    pools = np.full((1, 7), 50.0)
    found = exclusions(Plays(pools, offers, returns))
    assert found.after_little == 1.0
    assert found.after_more == pytest.approx(1 / 5)  # of five such offers with a next round one is followed by none
    np.testing.assert_allclose(found.lasting[:4], [1.0, 1.0, 0.5, np.nan])


def test_exclusions_that_an_empty_pool_or_the_end_cuts_off_count_as_long_as_they_are_seen() -> None:
    """Kaplan and Meier by hand: exclusions of 1, 2, 1+ and 2+ rounds, of which the pool and the end cut off two."""
    offers = np.full((4, 5, 2), 10.0)  # a fifth round is not played
    pools = np.full((4, 6), 50.0)
    offers[:, 4], pools[:, 5] = np.nan, np.nan
    offers[0, 1, 0] = offers[1, 1:3, 0] = 0.0
    offers[2, 1:4, 0], offers[3, 2:4, 0] = 0.0, 0.0
    pools[2, 2:5], offers[2, 2:4] = 1.5, 0.75  # a point is not there for both: nobody is left out on purpose
    found = exclusions(Plays(pools, offers, offers))
    # of three that are seen further than the first round one ends there; of one seen beyond the second, that one
    np.testing.assert_allclose(found.lasting, [1.0, 2 / 3, 0.0, np.nan, np.nan])
    assert np.isnan(found.after_little) and found.after_more == pytest.approx(
        4 / 16
    )  # of offers with an able pool in the next round


def test_exclusions_under_proportional_offers_last_for_ever() -> None:
    people = make_policy(GAME, "participant", "simulated_people")
    plays = play(GAME, make_policy(GAME, "mechanism", "proportional_offers"), people, 200, np.random.default_rng(3))
    lasting = exclusions(plays).lasting
    assert np.nanmin(lasting[:20]) > 0.98  # offers of half a point can come back to one


TINY = ["trainer.batch=8", "trainer.log_every=2", "trainer.checkpoint_every=2", "game.n_rounds=6",
        "trainer.evaluation={games: 30, elections: 8}"]  # fmt: skip


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the figures."""
    monkeypatch.setattr(launch, "_draw", lambda run, summary: None)


def test_a_planner_is_compared_pair_by_pair_with_proportional_offers() -> None:
    """A planner that is a rule of the family: it is its own distillate, and keeps all of its advantage."""
    people, seed = make_policy(GAME, "participant", "simulated_people"), [5]
    how_much, voters = Evaluation(games=200, elections=8), {"policy": "experience"}
    found = judged(GAME, FamilyOffers(GAME, (0.8, 10.0, 0.05)), people, voters, how_much, seed)
    one, other = (
        played(GAME, FamilyOffers(GAME, rule), people, 200, seed).measures()["surplus"]
        for rule in ((0.8, 10.0, 0.05), RULES["proportional"])
    )
    ratio = one.mean() / other.mean()
    told = found["surplus_ratio"]["learned"]
    assert found["surplus"]["learned"].mean == one.mean() and told.mean == pytest.approx(ratio)
    draws = np.random.default_rng(0).integers(200, size=(4_000, 200))  # a bootstrap of pairs
    assert told.standard_error == pytest.approx((one[draws].mean(1) / other[draws].mean(1)).std(), rel=0.1)
    assert found["distillation"]["r2"] == pytest.approx(1, abs=1e-6)
    kept = found["distillation"]["advantage_kept"]
    assert kept.mean == pytest.approx(1, abs=0.1) and kept.n == 200
    gained = {name: found["surplus"][name].mean - other.mean() for name in ("learned", "distilled")}
    assert kept.mean == pytest.approx(gained["distilled"] / gained["learned"])


def test_a_rule_is_distilled_from_other_games_than_it_is_judged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    people, rule, seen = make_policy(SHORT, "participant", "simulated_people"), FamilyOffers(SHORT, (0.8, 10, 0)), []
    monkeypatch.setattr(evaluation, "DISTILLED_GAMES", 40)
    monkeypatch.setattr(evaluation, "distil", lambda game, plays: [seen.append(plays), distil(game, plays)][1])
    judged(SHORT, rule, people, {"policy": "experience"}, Evaluation(games=40, elections=2), [5])
    assert (seen[0].returns[:, 0] != played(SHORT, rule, people, 40, [5]).returns[:, 0]).any()


@pytest.mark.parametrize("memory", [0, 3])
def test_a_resumed_training_equals_an_uninterrupted_one(undrawn: None, interrupted_and_whole: Any, memory: int) -> None:
    changes = [*TINY, f"agents.mechanism.memory={memory}", "trainer.updates=5"]
    whole, _ = interrupted_and_whole("commons", changes, before=(Learner, "update", 4))
    names = {"equal", "mixed", "proportional", "interpolating", "learned", "distilled"}
    assert set(whole["surplus"]) == {*names, "ceiling"} and set(whole["gini"]) == names


def test_a_run_draws_its_figures_and_is_judged_anew(tmp_path: Any) -> None:
    launch.train("commons", [*TINY, "trainer.updates=2", f"run_dir={tmp_path / 'run'}"])
    drawn = {path.name for path in (tmp_path / "run" / "figures").glob("*.png")}
    assert drawn == {"curves.png", "pools.png", "offers.png", "exclusions.png", "surplus_gini.png"}
    again = lawgiver.evaluate(tmp_path / "run", games=20)
    assert again["surplus"]["learned"].n == 20


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["game.mechanism_mode=announce"], "mechanism_mode='allocate'"),
        (["agents.participants.policy=random"], "given by the fractions"),
        (["trainer.fairness=-1"], "fairness"),
        (["trainer.gradient_discount=0"], "gradient_discount"),
        (["agents.mechanism.memory=-1"], "memory"),
        (["game.name=public_investment"], "commons_trust"),
        (["game.n_rounds=1"], "two rounds or more, not commons_trust-v0 with one round"),
        (["game.continuation=0"], "two rounds or more"),
        (["game.integer_returns=false"], "whole points"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path: Any, overrides: list[str], words: str) -> None:
    with pytest.raises(LawgiverError, match=words) as caught:
        launch.train("commons", [*TINY, *overrides, f"run_dir={tmp_path / 'run'}"])
    assert "\n" not in str(caught.value)


def test_the_reproduction_has_its_tables_and_figures(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from lawgiver.trainers.reproduce import commons

    tiny = ("trainer.updates=2", "trainer.batch=8", "trainer.evaluation={games: 30, elections: 8}")
    monkeypatch.setattr(commons, "KINDS", {"planner": tiny})
    monkeypatch.setattr(commons, "GAMES", 30)
    made = lawgiver.reproduce("commons", tmp_path, seeds=2)
    assert {path.name for path in made.figures} == {
        "commons_pools.png", "commons_offers.png", "commons_exclusions.png", "commons_surplus_gini.png"
    }  # fmt: skip
    tables = made.comparisons
    assert [row["rule"] for row in tables[commons.PEOPLE]] == ["equal", "mixed", "proportional"]
    assert tables[commons.PEOPLE][0]["humans'"] == "2.2 ± 0.36"
    names = ["equal", "mixed", "proportional", "interpolating", "planner", "rule of the planner"]
    assert [row["mechanism"] for row in tables[commons.KNOWN]] == [*names, "ceiling"]
    assert [row["mechanism"] for row in tables[commons.OTHERS]] == names
    assert tables[commons.KNOWN][0]["lasting > 1"] is None  # equal offers exclude nobody
    learned: Any = tables[commons.KNOWN][4]["surplus"]
    assert learned.n == 2 and learned.how == "student"
    runs = [lawgiver.open_run(tmp_path / "planner" / f"s{seed}") for seed in range(2)]
    assert learned.mean == pytest.approx(np.mean([run.summary["surplus"]["learned"].mean for run in runs]))
    assert len(tables[commons.RULE]) == 2 and "## E. Share of the votes" in made.markdown()
