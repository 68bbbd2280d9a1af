"""Q-learners: the update by hand, collusion and its controls, best replies, regulators, and runs that are killed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from lawgiver.envs.core.errors import LawgiverError, ParameterError, UnsupportedGameError
from lawgiver.envs.core.make import make_game
from lawgiver.envs.core.rollout import rollout
from lawgiver.trainers.q_learning.sessions import Rule, Sessions, one_of
from lawgiver.trainers.q_learning.settings import Regulator
from lawgiver.trainers.q_learning.stage import Stage, stage_of

torch = pytest.importorskip("torch")

from lawgiver.agents.learned import load_policy, save_policy  # noqa: E402
from lawgiver.agents.q_tables import LearnedQTables  # noqa: E402
from lawgiver.trainers.cli import main  # noqa: E402
from lawgiver.trainers.evaluation.evaluate import evaluate  # noqa: E402
from lawgiver.trainers.q_learning import summary as summaries  # noqa: E402
from lawgiver.trainers.q_learning import train as training  # noqa: E402
from lawgiver.trainers.q_learning.evaluation import deviation_paths, measured  # noqa: E402
from lawgiver.trainers.q_learning.outcome import following, outcome_of  # noqa: E402
from lawgiver.trainers.runs import launch  # noqa: E402
from lawgiver.trainers.runs.atomic_files import RunError  # noqa: E402
from lawgiver.trainers.runs.run import Run  # noqa: E402

SHORT = (
    "game.n_prices=3",
    "trainer.sessions=5",
    "trainer.stable_for=2000",
    "trainer.log_every=1",
    "trainer.checkpoint_every=2",
    "agents.participants.exploration_decay=1e-3",
)
SMALL = "trainer.sessions=1"
TAXED = (
    "agents.participants={memory: false, discount: 0.9}",
    "agents.mechanism={given: {policy: libertarian}}",
)
FREE = {"memory": True, "discount": 0.95, "learning_rate": 0.15, "initial": "rival_uniform"}


def pricing(**params):
    game = make_game("price_competition", **params)
    return game, stage_of(game, np.array([game.members["no_mechanism"]]))


def rule(**params) -> Rule:
    return Rule(**{**FREE, **params})


def learned(stage: Stage, by: Rule, sessions: int, decay: float, stable_for: int = 100_000) -> Sessions:
    """Learn until all sessions have converged."""
    made = Sessions.begin(stage, by, np.zeros(sessions, int), np.random.default_rng([0, 0]))
    block = 0
    while made.active.any():
        block += 1
        assert block < 2_000
        exploration = np.exp(-decay * (made.periods + np.arange(1, 1_001)))
        made.play(exploration, np.random.default_rng([0, block]))
        made.retire(stable_for)
    return made


def gains(game, sessions: Sessions) -> np.ndarray:
    """Profit gain of each session."""
    nash, monopoly = (game.references()["profit"][name] for name in ("nash", "monopoly"))
    return (outcome_of(sessions).payoffs.sum(axis=1) - nash) / (monopoly - nash)


# -- stage and update ----------------------------------------------------------------------------------------


def test_a_stage_is_the_games_own_round():
    game = make_game("price_competition", n=3, n_prices=4, announced=["price_cap", "unit_tax"])
    stage = stage_of(game, np.array([[0.4, 0.0], [0.9, 0.1]]))
    assert stage.payoffs.shape == (2, 64, 3) and stage.joint == 64
    choices = np.array([[2.0, 0.0, 3.0]])
    charged, demand = game.sales(choices, np.array([[0.9, 0.1]]))
    place = int(choices[0] @ stage.places)
    assert stage.payoffs[1, place] == pytest.approx((charged - 1)[0] * demand.quantities[0])
    by_action = stage.by_action(2)
    assert by_action[1, 3, 8] == stage.payoffs[1, place, 2]
    assert by_action.shape == (2, 4, 16)


def test_tables_begin_where_the_rule_says():
    game, stage = pricing()
    prices = game.action_values()
    mean = np.mean([game.market.profits(np.array([prices[0, 3], p]))[0] for p in prices[1]])
    assert rule().beginning(stage)[0, 0, 3] == pytest.approx(mean / 0.05)
    assert rule(initial="optimistic").beginning(stage) == pytest.approx(stage.payoffs.max() / 0.05)
    assert not rule(initial="zero").beginning(stage).any()


@pytest.mark.parametrize("memory", [True, False])
def test_sessions_learn_as_a_loop_over_agents_does(memory):
    """One block against the textbook's update, session by session, period by period."""
    _, stage = pricing(n_prices=3)
    by = rule(memory=memory)
    made = Sessions.begin(stage, by, np.zeros(4, int), np.random.default_rng(0))
    tables, states = made.tables.copy(), made.states.copy()
    made.active[2] = False
    exploration = np.full(200, 0.3)
    made.play(exploration, np.random.default_rng(1))
    drawn, changed = np.random.default_rng(1).random((200, 2, 4)), np.zeros(4, int)
    for s in (0, 1, 3):
        last = states[s]
        for t in range(200):
            x = last if memory else 0
            acts = [
                int(drawn[t, i, s] / 0.3 * 3) if drawn[t, i, s] < 0.3 else int(tables[s, i, x].argmax())
                for i in range(2)
            ]
            joint = 3 * acts[0] + acts[1]
            after = joint if memory else 0
            best = [tables[s, i, after].max() for i in range(2)]
            for i, act in enumerate(acts):
                greedy = tables[s, i, x].argmax()
                tables[s, i, x, act] += 0.15 * (stage.payoffs[0, joint, i] + 0.95 * best[i] - tables[s, i, x, act])
                if tables[s, i, x].argmax() != greedy:
                    changed[s] = t + 1
            last = joint
        assert made.states[s] == last
    assert made.tables == pytest.approx(tables, abs=1e-12)
    assert made.changed.tolist() == changed.tolist()
    assert (made.greedy == made.tables.argmax(axis=-1)).all() and (made.values == made.tables.max(axis=-1)).all()


def test_a_session_goes_on_as_one_of_its_copies():
    _, stage = pricing(n_prices=3)
    two = Stage(3, *(np.repeat(x, 2, axis=0) for x in (stage.payoffs, stage.objective)), {})
    begun = Sessions.begin(two, rule(), np.zeros(200, int), np.random.default_rng(0))
    copies = [begun.under(two, k) for k in (0, 1)]
    for k, copy in enumerate(copies):
        copy.tables[:], copy.states[:] = k, k
    taken = one_of(copies, np.random.default_rng(1))
    assert 70 < taken.mechanisms.sum() < 130, "both are drawn"
    assert (taken.states == taken.mechanisms).all()
    assert (taken.tables == taken.mechanisms[:, None, None, None]).all()


# -- what sessions have come to ------------------------------------------------------------------------------


def test_cycles_best_replies_and_deviations_by_brute_force():
    """Random strategies of three firms: everything against a simulation of single sessions."""
    game = make_game("price_competition", n=3, n_prices=3)
    stage = stage_of(game, np.array([[0.9]]))
    made = Sessions.begin(stage, rule(discount=0.8), np.zeros(6, int), np.random.default_rng(0))
    made.tables[:] = np.random.default_rng(1).normal(size=made.tables.shape)
    made.__post_init__()
    found, follow = outcome_of(made), following(made)
    for s in range(6):
        path = [int(made.states[s])]
        for _ in range(500):
            path.append(int(follow[s, path[-1]]))
        length = path[::-1][1:].index(path[-1]) + 1
        cycle = path[-length:]
        assert found.payoffs[s] == pytest.approx(stage.payoffs[0, cycle].mean(axis=0))
        for agent in range(3):
            values = np.zeros(27)
            for _ in range(200):  # value iteration, action by action
                new = np.empty(27)
                for x in range(27):
                    acts = made.greedy[s, :, x].copy()
                    worths = []
                    for act in range(3):
                        acts[agent] = act
                        j = int(acts @ stage.places)
                        worths.append(stage.payoffs[0, j, agent] + 0.8 * values[j])
                    new[x] = max(worths)
                values = new
            own = np.zeros(27)
            for _ in range(200):
                own = stage.payoffs[0, follow[s], agent] + 0.8 * own[follow[s]]
            assert found.best_reply_gain[s, agent] == pytest.approx(0.2 * (values - own)[cycle].mean(), abs=1e-9)
            kept, forced = found.deviation.kept[s, agent], found.deviation.actions[s, agent]
            assert (kept[0] == forced[0]).all() and kept[0] @ stage.places in cycle
            rivals = [i for i in range(3) if i != agent]
            assert (kept[1, rivals] == forced[1, rivals]).all()
            replies = [int(forced[1] @ stage.places) + (a - forced[1, agent]) * stage.places[agent] for a in range(3)]
            assert stage.payoffs[0, replies, agent].max() == stage.payoffs[0, forced[1] @ stage.places, agent]
            paid = [stage.payoffs[0, int(acts @ stage.places), agent] for acts in forced[1:]]
            assert (forced[2] @ stage.places) == follow[s, forced[1] @ stage.places]
            without = [stage.payoffs[0, int(acts @ stage.places), agent] for acts in kept[1:]]
            some = 0.2 * np.dot(np.subtract(paid, without), 0.8 ** np.arange(len(paid)))
            assert found.deviation.gain[s, agent] == pytest.approx(some, abs=0.01)
    prices, everyone = game.action_values(), np.ones(6, bool)
    paths = deviation_paths(game, found, everyone)
    for s, t in np.ndindex(6, 5):
        asked = [[prices[j, found.deviation.actions[s, i, t, j]] for j in range(3)] for i in range(3)]
        assert paths["own"][s, t] == pytest.approx(np.mean([asked[i][i] for i in range(3)]))
        others = [(asked[i][(i + 1) % 3] + asked[i][(i + 2) % 3]) / 2 for i in range(3)]
        assert paths["others"][s, t] == pytest.approx(np.mean(others))


def test_firms_collude_and_punish_a_deviation():
    """Calvano et al. 2020: far above the Nash equilibrium, and the rival cuts its price at once."""
    game, stage = pricing()
    made = learned(stage, rule(), 32, 1e-4)
    assert 0.69 <= gains(game, made).mean() <= 0.73
    found = outcome_of(made)
    prices, moves = game.action_values(), found.deviation
    rival = [prices[1 - i, moves.actions[:, i, 2, 1 - i]] - prices[1 - i, moves.kept[:, i, 2, 1 - i]] for i in (0, 1)]
    assert np.mean(rival) < -0.05
    assert moves.gain.mean() < 0 and (moves.gain < 0).mean() > 0.7
    told = measured(game, found, made, {"given": 0})
    assert told["profit_gain"]["given"].mean == pytest.approx(gains(game, made).mean())
    assert told["profit_gain"]["given"].standard_error == pytest.approx(gains(game, made).std(ddof=1) / np.sqrt(32))
    assert told["rival_reply"]["given"].mean == pytest.approx(np.mean(rival))
    paid = found.payoffs.sum(axis=1)
    for key, gained in (("best_reply_gain", found.best_reply_gain), ("deviation_gain", moves.gain)):
        share, one_left_out = gained.sum() / paid.sum(), []
        for s in range(32):
            one_left_out.append(np.delete(gained, s, axis=0).sum() / np.delete(paid, s).sum())
        assert told[key]["given"].mean == pytest.approx(share)
        errors = gained.sum(axis=1) - share * paid
        assert told[key]["given"].standard_error == pytest.approx(errors.std(ddof=1) / np.sqrt(32) / paid.mean())
        jackknife = np.sqrt(31 * np.var(one_left_out))
        assert told[key]["given"].standard_error == pytest.approx(jackknife, rel=0.05)


def test_without_a_future_or_a_memory_there_is_no_punishment():
    """Short of full convergence, on fewer prices: impatient firms end far lower, and forgetful ones never answer."""
    game, stage = pricing(n_prices=8)
    fast = {"sessions": 16, "decay": 4e-4, "stable_for": 20_000}
    patient, impatient = (gains(game, learned(stage, rule(discount=d), **fast)).mean() for d in (0.95, 0.0))
    assert impatient < patient - 0.15
    forgetful = outcome_of(learned(stage, rule(memory=False), **fast))
    moves = forgetful.deviation
    for i in (0, 1):
        assert (moves.actions[:, i, :, 1 - i] == moves.kept[:, i, :, 1 - i]).all()
    assert (moves.gain >= 0).all() and forgetful.best_reply_gain.sum() / forgetful.payoffs.sum() > 0.1


# -- policies and trainings ----------------------------------------------------------------------------------


def test_a_saved_policy_plays_what_was_learned(tmp_path: Path):
    game, stage = pricing(n_prices=3)
    made = Sessions.begin(stage, rule(), np.zeros(7, int), np.random.default_rng(0))
    made.play(np.full(500, 0.5), np.random.default_rng(1))
    policy = LearnedQTables(game, sessions=7)
    policy.restore({"tables": made.tables})
    save_policy(tmp_path, policy)
    policy = load_policy(tmp_path, game, "participant")
    state = game.initial_state(300, np.random.default_rng(2))
    announced = {"mechanism": np.broadcast_to(game.members["no_mechanism"], (300, 1, 1))}
    state, *_ = game.step(state, announced["mechanism"], {})
    memory = policy.initial_state(300, np.random.default_rng(3))
    assert set(memory) == set(range(7))
    acts, _ = policy.act(game.observe(state, "participant"), None, memory, np.random.default_rng(4))
    last = (state.choices @ stage.places).astype(int)
    assert (acts == made.greedy[memory.astype(int), :, last]).all()
    on_torch = policy.act(
        torch.as_tensor(game.observe(state, "participant")), None, torch.as_tensor(memory), torch.Generator()
    )[0]
    assert (on_torch.numpy() == acts).all()
    first = game.initial_state(4, np.random.default_rng(5))
    steps = list(rollout(game, {"mechanism": _free(game), "participant": policy}, first, np.random.default_rng(6)))
    assert len(steps) == game.max_steps


def _free(game):
    from lawgiver.envs.core.make import make_policy

    return make_policy(game, "mechanism", "no_mechanism")


def without_clock(run: Run) -> list[dict]:
    return [{key: value for key, value in line.items() if key != "timing"} for line in run.lines()]


@pytest.mark.parametrize("name", ["price_competition", "price_regulation"])
def test_a_killed_training_ends_like_one_that_was_not(tmp_path: Path, monkeypatch, name: str):
    more = [*SHORT, "trainer.updates=30"]
    if name == "price_regulation":
        more += [
            "agents.mechanism.iterations=4",
            "agents.mechanism.updates_per_evaluation=1",
            "agents.mechanism.grid=3",
        ]
    whole, _ = launch.train(name, [*more, f"run_dir={tmp_path / 'whole'}"])
    update = training.Training.update

    def dies(self, number):
        if number == 7:
            raise KeyboardInterrupt
        return update(self, number)

    monkeypatch.setattr(training.Training, "update", dies)
    with pytest.raises(BaseException):  # noqa: B017 - what an interruption becomes is the launcher's affair
        launch.train(name, [*more, f"run_dir={tmp_path / 'killed'}"])
    monkeypatch.undo()
    with pytest.raises(RunError, match="is not finished: continue it with lawgiver train --resume"):
        evaluate(tmp_path / "killed")
    monkeypatch.setattr(sys, "argv", ["lawgiver", "evaluate", str(tmp_path / "killed")])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    resumed, _ = launch.resume(tmp_path / "killed")
    first, second = Run.open(whole), Run.open(resumed)
    assert without_clock(first) == without_clock(second)
    assert not first.summary["alarms"] and len(first.lines()) < 34, "all sessions had converged before the last update"
    kept = [{k: v for k, v in run.summary.items() if k not in ("timing", "commit")} for run in (first, second)]
    assert kept[0] == kept[1]
    names = {"given"} if name == "price_competition" else {"learned", "no_mechanism", "best_of_grid"}
    assert set(first.summary["periods"]) == names
    found, which = evaluate(first.path, seed=3), "given" if "given" in names else "learned"
    for key in ("profit", "price", "profit_gain", "best_reply_gain", "deviation_gain"):
        if which in first.summary.get(key, {}):
            assert found[key][which].mean == pytest.approx(first.summary[key][which].mean), key
    assert found["profit_gain_from_drawn_prices"][which].n == found["profit"][which].n == 5
    assert {path.name for path in first.figures()} >= {"curves.png", "deviation.png"}
    older = first.load("participant")
    older.last_joint = None
    shutil.rmtree(first.policies / "participant")
    save_policy(first.policies / "participant", older)
    with pytest.raises(RunError, match="does not say with which joint action each session ended"):
        evaluate(first.path)


@pytest.mark.parametrize(("exploration", "iterations"), [(0.1, 30), (None, 8)])
def test_a_cap_is_learned_while_firms_learn(tmp_path: Path, exploration: float | None, iterations: int):
    """Consumers are best off at prices of cost, whatever firms do: who learn on, or anew under each cap."""
    small = (
        "game.n_prices=6",
        "trainer.sessions=8",
        "trainer.stable_for=3000",
        "agents.participants.exploration_decay=1e-3",
        "agents.mechanism={start: [0.8], updates_per_evaluation: 1, grid: 3}",
        f"agents.mechanism.iterations={iterations}",
        f"agents.mechanism.exploration={'null' if exploration is None else exploration}",
    )
    run, summary = launch.train("price_regulation", [*small, f"run_dir={tmp_path / 'cap'}"])
    game = Run.open(run).game()
    assert summary["parameters"]["price_cap"]["learned"] < 0.05
    assert summary["consumer_surplus"]["learned"].mean > 0.95 * game.ceiling()
    assert summary["consumer_surplus"]["best_of_grid"].mean == pytest.approx(game.ceiling())


def regulated(path: Path, *more: str) -> tuple[Run, dict]:
    small = (
        "game.n_prices=6",
        "trainer.sessions=8",
        "trainer.stable_for=2000",
        "trainer.log_every=1",
        "agents.participants.exploration_decay=2e-3",
        "agents.mechanism.iterations=1",
        "agents.mechanism.updates_per_evaluation=1",
    )
    run, summary = launch.train("price_regulation", [*small, *more, f"run_dir={path}"])
    return Run.open(run), summary


def test_the_best_of_a_grid_is_judged_by_sessions_of_its_own(tmp_path: Path, monkeypatch):
    """Of sixty mechanisms that are all the same the best is luck, which does not come again."""
    free = make_game("price_competition", n_prices=6).members["no_mechanism"]
    monkeypatch.setattr(training, "grid_of", lambda game, count: np.tile(free, (60, 1)))
    _, summary = regulated(tmp_path / "same")
    grid, judged = summary["grid"]["consumer_surplus"], summary["consumer_surplus"]["best_of_grid"]
    means = np.array([each.mean for each in grid])
    assert means.max() > means.mean() + 2 * means.std(), "the luckiest is far from the truth"
    assert judged.mean < means.mean() + 1.5 * means.std() and judged.ends[0] <= means.mean() <= judged.ends[1]
    assert judged.n == summary["periods"]["best_of_grid"].n == 8
    assert summary["parameters"]["price_cap"]["best_of_grid"] == free[0]


def test_lines_of_a_regulator_are_about_what_it_has_learned(tmp_path: Path, monkeypatch):
    """Over all its sessions, those that have converged included; the comparison is logged apart, and ends last."""
    seen, play = [], Sessions.play

    def watched(self, *args):
        play(self, *args)
        seen.append(self)

    monkeypatch.setattr(Sessions, "play", watched)
    run, summary = regulated(tmp_path / "lines", "agents.mechanism.grid=3", "agents.mechanism.start=no_mechanism")
    lines = run.lines()[1:]
    assert "comparison" not in run.lines()[0]
    for line, sessions in zip(lines, seen[2:], strict=True):  # after the two mechanisms that were tried
        if not (sessions.mechanisms == 0).any():
            assert line.keys() == {"iteration", "comparison", "timing"}
            continue
        assert line["periods"] == 1_000 * (line["iteration"] - 1) and 0 <= line["active"] <= 8
    assert lines[-1]["comparison"]["active"] == 0 and lines[-1].keys() == {"iteration", "comparison", "timing"}
    own = [line for line in lines if "consumer_surplus" in line]
    assert own[0]["active"] == 8 and own[-1]["active"] == 0
    assert own[0]["comparison"]["active"] == 4 * 8
    assert own[-1]["consumer_surplus"] == pytest.approx(summary["consumer_surplus"]["learned"].mean, abs=2e-3)
    assert {path.name for path in run.figures()} == {"curves.png", "deviation.png", "grid.png"}


def test_best_replies_are_computed_of_what_is_reported(tmp_path: Path, monkeypatch):
    asked = []

    def counted(sessions):
        asked.append(len(sessions.states))
        return outcome_of(sessions)

    monkeypatch.setattr(summaries, "outcome_of", counted)
    regulated(tmp_path / "run", "agents.mechanism.grid=4")
    assert asked == [3 * 8], "learned, none and the best of the grid"


def test_bidders_of_fixed_values_learn_without_memory(tmp_path: Path):
    """Impatient Q-learners bid a first-price auction up to near the value; any game of Discrete actions will do."""
    values = tmp_path / "values.csv"
    values.write_text("profile,participant,value\n0,0,1\n0,1,1\n")
    config = tmp_path / "bids.yaml"
    config.write_text(
        f"""
game: {{name: sealed_bid, n_bids: 11, types_file: {values}}}
agents:
  mechanism: {{given: {{policy: no_reserve}}}}
  participants: {{learning_rate: 0.05, exploration_decay: 1.0e-3, discount: 0.0, memory: false}}
trainer: {{name: q_learning, sessions: 20, stable_for: 3000}}
"""
    )
    _, summary = launch.train(config, [f"run_dir={tmp_path / 'run'}"])
    assert summary["revenue"]["given"].mean > 0.7
    for change, told in {
        "agents.participants.memory=true": "do not see what all did last",
        "agents.participants.discount=null": "agents.participants.discount is None, but sealed_bid-v0 has none",
        "game.types_file=null": "pays otherwise from draw to draw",
        "game.n_bids=null": "are a Box here",
    }.items():
        with pytest.raises(LawgiverError, match=told):
            launch.train(config, [change, f"run_dir={tmp_path / 'none'}"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (["agents.participants.discount=1"], "discount"),
        (["agents.participants.learning_rate=0"], "learning_rate"),
        (["agents.mechanism={start: no_mechanism, grid: 200}"], "grid"),
        (["game={name: price_competition, n: 4}"], "the tables of 100 sessions would hold"),
        (["game={name: price_competition, n: 4, n_prices: 100}"], "joint ones under each of 1 mechanisms"),
        (
            ["agents.mechanism={start: no_mechanism, grid: 50}", "trainer.sessions=1000"],
            "the tables of 52,000 sessions",
        ),
        (
            ["game.n_prices=200", "agents.mechanism={start: no_mechanism, grid: 50}", SMALL],
            "under each of 52 mechanisms",
        ),
        (["agents.mechanism={given: {policy: random}}"], "the same in all games"),
        (["game={name: taxed_dilemma, mechanism_mode: allocate}", *TAXED], "needs a mechanism that announces first"),
        (["game={name: public_investment}"], "trainer 'q_learning'|do not see what all did last|given"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, changes, told):
    with pytest.raises(LawgiverError, match=told) as caught:
        launch.train("price_competition", [*changes, f"run_dir={tmp_path / 'none'}"])
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "none").exists()


def test_a_grid_that_is_too_large_is_refused(tmp_path: Path):
    everything = ["game.announced=[price_cap, unit_tax, steering]", "agents.mechanism.grid=17"]
    with pytest.raises(ParameterError, match="4,913 mechanisms of 3 parameters, allowed: up to 4,096"):
        launch.train("price_regulation", [*everything, f"run_dir={tmp_path / 'none'}"])
    assert Regulator().grid == 9


def test_tables_of_q_refuse_games_that_they_do_not_fit():
    with pytest.raises(UnsupportedGameError, match="learn without memory"):
        LearnedQTables(make_game("sealed_bid", n_bids=5))
    with pytest.raises(UnsupportedGameError, match="Discrete"):
        LearnedQTables(make_game("sealed_bid"), memory=False)
