"""The built-in mechanisms and participants against their formulas, on NumPy and on torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lawgiver.agents.anchor import make_anchor
from lawgiver.agents.graph_network import GraphNetwork
from lawgiver.agents.learned import PolicyFileError, load_policy, save_policy
from lawgiver.agents.network_policies import LearnedMechanism, LearnedParticipants
from lawgiver.agents.networks import GaussianNet
from lawgiver.agents.policies import UniformLegal, draw_discrete
from lawgiver.envs.core.errors import ParameterError, UnknownNameError, UnsupportedGameError
from lawgiver.envs.core.make import make_game, make_policy
from lawgiver.envs.public_investment.water_filling import water_fill
from lawgiver.envs.solvers.equilibrium.prior import ILLEGAL, log_prior
from lawgiver.envs.views.parallel import GameParallelEnv

ENDOWMENTS = np.array([[10.0, 4.0, 4.0, 4.0]])
CONTRIBUTIONS = np.array([[5.0, 4.0, 0.0, 1.0]])
OBS = np.concatenate([ENDOWMENTS, CONTRIBUTIONS], axis=-1)[:, None]


def allocate(**params):
    return make_game("public_investment", endowments=(10, 4, 4, 4), **params)


def announce(**params):
    return allocate(mechanism_mode="announce", **params)


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("strict_egalitarian", np.full(4, 0.25)),
        ("libertarian", CONTRIBUTIONS[0] / 10),
        ("liberal_egalitarian", np.array([0.5, 1.0, 0.0, 0.25]) / 1.75),
    ],
)
def test_canonical_weights_are_their_formulas(name, weights):
    policy = make_policy(allocate(), "mechanism", name)
    for backend in (np.asarray, torch.as_tensor):
        outcome, _ = policy.outcome(backend(OBS), None, None, None)
        np.testing.assert_allclose(np.asarray(outcome)[0], weights, rtol=1e-12, atol=0)
    logits, _ = policy.act(OBS, None, None, np.random.default_rng(0))
    shares = np.exp(logits[0, 0]) / np.exp(logits[0, 0]).sum()
    np.testing.assert_allclose(shares, weights, atol=3e-9)
    assert allocate().action_space("mechanism").contains(logits[0, 0].astype(np.float32))


@pytest.mark.parametrize(("name", "parameters"), [("strict_egalitarian", (0, 0)), ("libertarian", (1, 1))])
def test_canonical_rules_are_announced_as_family_members(name, parameters):
    policy = make_policy(announce(), "mechanism", name)
    action, _ = policy.act(ENDOWMENTS[:, None], None, None, None)
    np.testing.assert_array_equal(action, [[parameters]])


def test_only_members_of_the_family_can_be_announced():
    for name, params in (("ex_post_equaliser", {}), ("manifold", {"w": 0.7, "v": 0.5})):
        with pytest.raises(UnsupportedGameError, match=f"{name}.*power.*libertarian"):
            make_policy(announce(), "mechanism", name, **params)
    assert make_policy(announce(rule_family="manifold"), "mechanism", "manifold", w=0.7, v=0.5)


def test_the_equaliser_levels_payoffs_as_far_as_the_fund_goes():
    policy = make_policy(allocate(), "mechanism", "ex_post_equaliser")
    weights, _ = policy.outcome(OBS, None, None, None)
    fund = 1.6 * CONTRIBUTIONS.sum()
    payoffs = (ENDOWMENTS - CONTRIBUTIONS + weights * fund)[0]
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(payoffs, (22 - 10 + fund) / 4)


def test_water_filling_agrees_on_both_backends_and_with_bisection():
    rng = np.random.default_rng(1)
    floors, total = rng.uniform(0, 10, (200, 5)), rng.uniform(0, 20, 200)
    levels = water_fill(floors, total)
    np.testing.assert_allclose((levels - floors).sum(-1), total)
    np.testing.assert_allclose(water_fill(torch.as_tensor(floors), torch.as_tensor(total)).numpy(), levels)
    low, high = np.zeros(200), np.full(200, 40.0)
    for _ in range(80):
        middle = (low + high) / 2
        short = np.maximum(middle[:, None] - floors, 0).sum(-1) < total
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    np.testing.assert_allclose(levels, np.maximum(floors, low[:, None]))


def test_participants_by_name_obey_their_masks():
    game = allocate()
    rng = np.random.default_rng(0)
    state = game.initial_state(500, rng)
    obs, mask = game.observe(state, "participant"), game.legal_actions(state, "participant")
    lowest, _ = make_policy(game, "participant", "free_rider").act(obs, mask, None, rng)
    highest, _ = make_policy(game, "participant", "full_contributor").act(obs, mask, None, rng)
    drawn, _ = make_policy(game, "participant", "random").act(obs, mask, None, rng)
    assert (lowest == 0).all()
    assert (highest == [10, 4, 4, 4]).all()
    assert np.take_along_axis(mask, drawn[..., None], -1).all()
    assert abs(drawn[:, 0].mean() - 5) < 4 * np.sqrt(10 / 500)
    assert set(drawn[:, 1]) == set(range(5))


def test_conditional_cooperators_follow_their_formula():
    game = allocate()
    people = make_policy(game, "participant", "conditional_cooperators", first=0.5, conformity=0.5, reaction=0.1)
    rng = np.random.default_rng(0)
    state = game.initial_state(1, rng)
    first, _ = people.act(game.observe(state, "participant"), None, None, rng)
    np.testing.assert_array_equal(first, [[5, 2, 2, 2]])
    state, *_ = game.step(state, np.array([[10, 0, 4, 2]]), {})
    state, *_ = game.advance(state, np.array([[0.25, 0.25, 0.25, 0.25]]), {})
    rho = np.array([1, 0, 1, 0.5])
    gain = (1.6 * 16 / 4 - np.array([10, 0, 4, 2])) / np.array([10, 4, 4, 4])
    fraction = np.clip(0.5 * rho + 0.5 * (rho.sum() - rho) / 3 + 0.1 * gain, 0, 1)
    then, _ = people.act(game.observe(state, "participant"), None, None, rng)
    np.testing.assert_array_equal(then[0], np.floor(np.array([10, 4, 4, 4]) * fraction + 0.5))


def test_conditional_cooperators_refuse_games_in_which_they_see_too_little():
    for game in (make_game("taxed_dilemma"), announce(participant_observation="rule")):
        with pytest.raises(UnsupportedGameError, match="paper"):
            make_policy(game, "participant", "conditional_cooperators")


@pytest.mark.parametrize(
    ("role", "name", "params", "error", "words"),
    [
        ("mechanism", "libertarean", {}, UnknownNameError, "did you mean 'libertarian'"),
        ("participant", "random_", {}, UnknownNameError, "did you mean 'random'"),
        ("mechanism", "manifold", {"w": 2.0, "v": 0.0}, ParameterError, r"w is 2.0.*\[0, 1\]"),
        ("mechanism", "libertarian", {"w": 2.0}, ParameterError, "no parameter 'w'"),
        ("participant", "conditional_cooperators", {"first": 2.0}, ParameterError, "first is 2.0"),
        ("mechanism", "rule", {"parameters": [1.0]}, ParameterError, "one number for each"),
        ("mechanism", "rule", {"parameters": [13.0, 0.0]}, ParameterError, r"p in parameters is 13.0.*\[0.0, 12.0\]"),
        ("mechanism", "rule", {"parameters": ["1", "0"]}, ParameterError, r"p in parameters is '1'"),
        ("mechanism", "rule", {"parameters": 5}, ParameterError, "parameters is 5, allowed: one number for each"),
        ("mechanism", "manifold", {"w": "0.5", "v": 1}, ParameterError, r"w is '0.5', allowed: a number in \[0, 1\]"),
        ("mechanism", "manifold", {"w": None, "v": 1}, ParameterError, "w is None"),
        ("mechanism", "manifold", {"w": True, "v": 1}, ParameterError, "w is True"),
        ("mechanism", "manifold", {"v": 1}, ParameterError, "mechanism 'manifold'.*w missing"),
        ("mechanism", {"policy": "manifold"}, {}, ParameterError, "w, v missing"),
        ("mechanism", {"policy": "manifold", "z": 1}, {}, ParameterError, "no parameter 'z'.*allowed: v, w"),
        ("mechanism", {"policy": "manifold", "game": 1}, {}, ParameterError, "no parameter 'game'"),
        ("mechanism", {"w": 1}, {}, ParameterError, "mechanism is None.*manifold"),
        ("mechanism", 5, {}, ParameterError, "mechanism is 5.*libertarian"),
        ("participants", "random", {}, ParameterError, "unknown role 'participants': did you mean 'participant'"),
        ("participant", "conditional_cooperators", {"first": "x"}, ParameterError, "first is 'x'"),
        ("participant", "conditional_cooperators", {"reaction": float("inf")}, ParameterError, "reaction is inf"),
        ("mechanism", "graph_network", {"n_units": -1}, ParameterError, "n_units is -1, allowed: an integer >= 1"),
        ("mechanism", "graph_network", {"n_units": "a"}, ParameterError, "n_units is 'a'"),
        ("mechanism", "graph_network", {"n_units": 0}, ParameterError, "n_units is 0"),
        (
            "participant",
            "logit_equilibrium",
            {"mechanism": "libertarian", "inverse_temperature": "1"},
            ParameterError,
            "inverse_temperature is '1'",
        ),
    ],
)
def test_bad_names_and_parameters_say_what_is_allowed(role, name, params, error, words):
    with pytest.raises(error, match=words):
        make_policy(allocate(), role, name, **params)


def test_a_policy_may_be_named_with_its_parameters():
    game = allocate()
    params = {"w": np.float32(0.25), "v": np.int64(1)}
    one = make_policy(game, "mechanism", "manifold", **params)
    for other in ({"policy": "manifold", **params}, make_policy(game, "mechanism", {"policy": "manifold"} | params)):
        assert np.array_equal(
            make_policy(game, "mechanism", other).outcome(OBS, None, None, None)[0],
            one.outcome(OBS, None, None, None)[0],
        )
    env = GameParallelEnv(game, mechanism={"policy": "manifold", **params})
    env.reset(seed=0)
    _, rewards, *_ = env.step(dict(zip(env.agents, (10, 0, 0, 0), strict=True)))
    assert list(rewards.values()) == pytest.approx([4, 8, 8, 8])  # a quarter for oneself, the rest to the others


def test_drawing_follows_the_probabilities_on_both_backends():
    log_probabilities = np.log(np.array([0.5, 0.3, 0.2])) + np.zeros((40_000, 1, 3))
    for backend, rng in ((np.asarray, np.random.default_rng(0)), (torch.as_tensor, torch.Generator().manual_seed(0))):
        drawn = np.asarray(draw_discrete(backend(log_probabilities), rng))
        frequencies = np.bincount(drawn.ravel(), minlength=3) / drawn.size
        np.testing.assert_allclose(frequencies, [0.5, 0.3, 0.2], atol=4 * 0.5 / 200)


def test_the_uniform_prior_is_the_mask():
    mask = np.array([[[True, True, False, True]]])
    prior = log_prior(None, np.zeros((1, 1, 2)), mask, 4)
    np.testing.assert_allclose(prior[0, 0], [-np.log(3), -np.log(3), ILLEGAL, -np.log(3)])
    with pytest.raises(ParameterError, match="anchor is 'uniforn'"):
        make_anchor(allocate(), "uniforn")


def test_the_graph_network_is_equivariant():
    torch.manual_seed(0)
    network = GraphNetwork(10.0)
    endowments, contributions = torch.tensor(ENDOWMENTS).float(), torch.tensor(CONTRIBUTIONS).float()
    order = [2, 0, 3, 1]
    logits = network(endowments, contributions)
    assert logits.std() > 1e-3
    torch.testing.assert_close(network(endowments[:, order], contributions[:, order]), logits[:, order])
    policy = make_policy(allocate(), "mechanism", "graph_network", seed=3)
    weights, _ = policy.outcome(OBS, None, None, None)
    assert weights.sum() == pytest.approx(1)


def test_the_gaussian_explores_logarithms_where_the_field_says_so():
    game = announce()
    network = GaussianNet(game.observation_space("mechanism"), game.action_layout("mechanism"), (1.0, 1.0), None, 0.4)
    obs = torch.tensor(ENDOWMENTS).float()
    mean, log_std = network(obs)
    torch.testing.assert_close(mean, torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(log_std.exp(), torch.full((1, 2), 0.4))
    torch.testing.assert_close(
        network.to_action(torch.tensor([[np.log(3.0), -0.5]]).float()), torch.tensor([[3.0, -0.5]])
    )
    torch.testing.assert_close(network.mean_action(obs), torch.tensor([[1.0, 1.0]]))


def test_learned_policies_survive_saving(tmp_path):
    torch.manual_seed(0)
    game = announce(participant_observation="rule")
    people = LearnedParticipants(game, hidden=(8,))
    rule = LearnedMechanism(game, start=(1.0, 1.0), hidden=None)
    for parameter in [*people.network.parameters(), *rule.network.parameters()]:
        torch.nn.init.normal_(parameter, std=0.3)
    state = game.initial_state(3, np.random.default_rng(0))
    obs, mask = game.observe(state, "participant"), game.legal_actions(state, "participant")
    seen = game.observe(state, "mechanism")
    for policy, args in ((people, (obs, mask, None)), (rule, (seen, None, None))):
        save_policy(tmp_path / policy.kind, policy)
        before, _ = policy.distribution(*args)
        after, _ = load_policy(tmp_path / policy.kind, game).distribution(*args)
        np.testing.assert_array_equal(before, after)
    log_probabilities, _ = people.distribution(obs, mask, None)
    np.testing.assert_allclose(np.exp(log_probabilities).sum(-1), 1)
    assert (np.exp(log_probabilities)[~mask] == 0).all()


def test_corrupt_policies_are_named(tmp_path):
    game = announce()
    save_policy(tmp_path, LearnedMechanism(game, start=(1.0, 1.0), hidden=None))
    with pytest.raises(ParameterError, match=r"start is \[1\.0, 1\.0\], allowed: 1 number"):
        load_policy(tmp_path, make_game("taxed_dilemma"))
    with pytest.raises(PolicyFileError, match="does not fit public_investment"):
        save_policy(tmp_path / "people", LearnedParticipants(game, hidden=(4,)))
        load_policy(tmp_path / "people", make_game("public_investment", endowments=(5, 5, 5, 5)))
    save_policy(tmp_path / "graph", make_policy(allocate(), "mechanism", "graph_network"))
    with pytest.raises(UnsupportedGameError, match="'graph_network' shares a fund"):
        load_policy(tmp_path / "graph", game)
    (tmp_path / "weights.safetensors").write_bytes(b"nonsense")
    with pytest.raises(PolicyFileError, match=r"weights\.safetensors"):
        load_policy(tmp_path, game)
    (tmp_path / "policy.json").write_text("{")
    with pytest.raises(PolicyFileError, match=r"policy\.json is corrupt"):
        load_policy(tmp_path, game)
    with pytest.raises(PolicyFileError, match="missing"):
        load_policy(tmp_path / "nowhere", game)


def test_equilibrium_participants_play_the_closed_form_of_dominant_strategies():
    game = make_game("public_investment")
    people = make_policy(game, "participant", "logit_equilibrium", inverse_temperature=1.0, mechanism="libertarian")
    state = game.initial_state(40, np.random.default_rng(0))
    obs, mask = game.observe(state, "participant"), game.legal_actions(state, "participant")
    for backend in (np.asarray, torch.as_tensor):
        logs = np.asarray(people.distribution(backend(obs), backend(mask), None)[0])
        powers = np.where(mask, np.exp(0.6 * np.arange(11)), 0.0)  # every point returns 1.6
        np.testing.assert_allclose(np.exp(logs), powers / powers.sum(-1, keepdims=True), atol=1e-8)


def test_equilibrium_participants_are_refused_where_they_cannot_know_the_equilibrium():
    game = make_game("public_investment", mechanism_mode="announce", participant_observation="rule")
    kwargs = {"inverse_temperature": 1.0, "mechanism": "liberal_egalitarian"}
    with pytest.raises(UnsupportedGameError, match="does not see which"):
        make_policy(game, "participant", "logit_equilibrium", **kwargs)
    with pytest.raises(UnsupportedGameError, match="plays public_investment, not taxed_dilemma"):
        make_policy(make_game("taxed_dilemma"), "participant", "logit_equilibrium", **kwargs)
    with pytest.raises(ParameterError, match="inverse_temperature is -1"):
        make_policy(allocate(), "participant", "logit_equilibrium", inverse_temperature=-1, mechanism="libertarian")


def test_named_mechanisms_of_lanes_announce_their_coefficients():
    game = make_game("lanes", n=3, agent_objective="full")
    reached = {}
    for name in ("no_mechanism", "pigou"):
        found = game.exact_scores(make_policy(game, "mechanism", name), inverse_temperature=1000.0)
        reached[name] = found["welfare"]
    assert reached["no_mechanism"] < reached["pigou"] <= game.optimum()
    assert game.optimum() - reached["pigou"] < 0.002
    with pytest.raises(UnsupportedGameError, match="'pigou' is not a rule of lanes-v0: allowed: no_mechanism"):
        make_policy(make_game("lanes"), "mechanism", "pigou")  # its box does not hold it


def test_a_rule_says_how_many_numbers_it_takes():
    with pytest.raises(ParameterError, match=r"has 1 number, .* for each of 2 coefficients in \[-4, 4\]"):
        make_policy(make_game("lanes"), "mechanism", {"policy": "rule", "parameters": [0]})


@pytest.mark.parametrize("n_actions", [1, 2, 11, 64, 65, 300])
def test_uniform_actions_are_those_of_their_distribution_for_the_same_numbers(n_actions):
    rng = np.random.default_rng(n_actions)
    policy, obs = UniformLegal(n_actions), np.zeros((500, 3, 0))
    some = rng.random((500, 3, n_actions)) < 0.4
    some[..., rng.integers(n_actions)] = True
    for mask in (None, some, np.ones_like(some)):
        drawn = policy.act(obs, mask, None, np.random.default_rng(1))[0]
        expected = draw_discrete(policy.distribution(obs, mask, None)[0], np.random.default_rng(1))
        assert drawn.dtype == np.int64 and drawn.shape == (500, 3)
        assert (drawn == expected).mean() > 0.999  # a level may lie within rounding of a step
        assert mask is None or np.take_along_axis(mask, drawn[..., None], -1).all()
        torch_mask = None if mask is None else torch.as_tensor(mask)
        there = policy.act(torch.zeros(500, 3, 0), torch_mask, None, torch.Generator().manual_seed(1))[0]
        assert there.dtype == torch.int64 and there.shape == (500, 3) and int(there.max()) < n_actions
        assert mask is None or torch.gather(torch_mask, -1, there[..., None]).all()


def test_a_level_just_below_one_takes_the_last_legal_action():
    class Edge:
        def random(self, shape):
            return np.full(shape, np.nextafter(1.0, 0.0))

    for n_actions in (*range(1, 64), 100, 1000):
        mask = np.zeros((1, 1, n_actions), bool)
        mask[..., : max(n_actions // 2, 1)] = True
        chosen = UniformLegal(n_actions).act(np.zeros((1, 1, 0)), mask, None, Edge())[0]
        assert chosen.item() == max(n_actions // 2, 1) - 1
        assert UniformLegal(n_actions).act(np.zeros((1, 1, 0)), None, None, Edge())[0].item() == n_actions - 1


@pytest.mark.parametrize(("name", "highest"), [("free_rider", False), ("full_contributor", True)])
def test_extreme_actions_are_the_extreme_legal_ones(name, highest):
    policy = make_policy(make_game("public_investment"), "participant", name)
    mask = np.random.default_rng(0).random((200, 2, policy.n_actions)) < 0.3
    mask[..., 4] = True
    legal = np.where(mask, np.arange(policy.n_actions), np.nan)
    expected = np.nanmax(legal, -1) if highest else np.nanmin(legal, -1)
    for given in (mask, torch.as_tensor(mask)):
        obs = np.zeros((200, 2, 0)) if given is mask else torch.zeros(200, 2, 0)
        assert np.array_equal(np.asarray(policy.act(obs, given, None, None)[0]), expected)
