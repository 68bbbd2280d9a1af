"""What views show to people, recorders and windows: text, images, drawings of boards."""

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.wrappers import HumanRendering, RenderCollection
from pettingzoo.test import render_test

import lawgiver
from lawgiver.envs.core.drawings import Grid, Road, Roads, board, positions, text_of
from lawgiver.envs.core.errors import MissingExtraError
from lawgiver.envs.core.registry import GAMES, names
from lawgiver.envs.views.frames import frame
from lawgiver.envs.views.vector import GameVectorEnv


def played(view, steps, rng):
    view.reset(seed=0)
    for space in view.action_spaces.values():
        space.seed(int(rng.integers(2**31)))
    for _ in range(steps):
        if view.agents:
            view.step({agent: view.action_space(agent).sample() for agent in view.agents})
    return view


@pytest.mark.parametrize("name", names(GAMES))
def test_pettingzoos_own_test_of_every_mode(name, capsys):
    render_test(lambda render_mode: pettingzoo.make("aec", f"lawgiver/{name}", render_mode=render_mode))
    assert name in capsys.readouterr().out, "human prints"


def test_human_prints_every_state_once_and_render_adds_nothing(capsys):
    for env in (
        gymnasium.make("lawgiver/lanes-v0", role="mechanism", render_mode="human"),
        gymnasium.make_vec("lawgiver/lanes-v0", role="mechanism", render_mode="human", num_envs=3),
    ):
        env.reset(seed=0)
        assert capsys.readouterr().out.count("lanes-v0: mechanism to act") == 1
        env.step(env.action_space.sample())
        assert env.render() is None
        assert capsys.readouterr().out.count("lanes-v0: the game is over") == 1
    parallel = pettingzoo.make("parallel", "lawgiver/lanes-v0", render_mode="human")
    played(parallel, 1, np.random.default_rng(0))
    assert capsys.readouterr().out.count("lanes-v0") == 2


def test_gymnasium_wraps_what_it_asks_the_entry_point_about():
    listed = gymnasium.make("lawgiver/lanes-v0", role="mechanism", render_mode="rgb_array_list")
    assert isinstance(listed, RenderCollection)
    listed.reset(seed=0)
    listed.step(listed.action_space.sample())
    assert [image.dtype for image in listed.render()] == [np.uint8, np.uint8]
    window = HumanRendering(gymnasium.make("lawgiver/lanes-v0", role="mechanism", render_mode="rgb_array"))
    assert window.metadata["render_fps"] > 0


def test_a_batch_renders_every_game():
    env = GameVectorEnv(lawgiver.make_game("public_investment"), role="mechanism", num_envs=3, render_mode="rgb_array")
    env.reset(seed=0)
    env.step(env.action_space.sample())
    frames = env.render()
    assert len(frames) == 3 and {image.shape for image in frames} == {frames[0].shape}
    assert not np.array_equal(frames[0], frames[1]), "each shows its own game"


def test_frames_of_a_game_have_one_size():
    env = pettingzoo.make("parallel", "lawgiver/goal_collection-v0", render_mode="rgb_array")
    rng = np.random.default_rng(0)
    assert len({played(env, steps, rng).render().shape for steps in range(4)}) == 1


@pytest.mark.parametrize("mode", ["ansi", "rgb_array"])
def test_boards_that_are_too_large_are_left_out(mode):
    env = pettingzoo.make("parallel", "lawgiver/goal_collection-v0", size=10**6, render_mode=mode)
    env.reset(seed=0)
    assert env.render() is not None and env.unwrapped.game.drawing(env.unwrapped._session.state, 0) is None


def test_boards_show_where_everybody_is():
    env = pettingzoo.make("parallel", "lawgiver/goal_collection-v0", n=2, size=3, render_mode="ansi")
    env.reset(seed=0)
    game, state = env.unwrapped.game, env.unwrapped._session.state
    grid = game.drawing(state, 0)
    assert grid.cells[0][0].startswith("M")
    for seat, goal in enumerate(state.types[0, :, 0].astype(int)):
        assert str(seat) in grid.cells[goal // 3][goal % 3]
    lines = env.render().splitlines()
    assert lines[0] == "goal_collection-v0: participants 0, 1 to act"
    assert lines[2].split()[0].startswith("M")


def test_networks_show_the_tolls_in_force():
    env = pettingzoo.make("parallel", "lawgiver/selfish_routing-v0", render_mode="ansi")
    env.reset(seed=0)
    env.step({"mechanism": np.linspace(0, 1, 5)})
    lines = env.render().splitlines()
    assert [line.split()[-1] for line in lines[2:7]] == ["0", "0.25", "0.5", "0.75", "1"]
    assert lines[2].startswith("s -> v")


def test_who_acts_is_named_where_seats_take_turns():
    env = pettingzoo.make("parallel", "lawgiver/election-v0", render_mode="ansi")
    env.reset(seed=0)
    (agent,) = env.unwrapped.acting_agents
    assert env.render().startswith(f"election-v0: {agent} to act")


def test_drawings_as_text():
    assert text_of(board(2, 2, [(0, "M"), (3, "0"), (3, "1")], "marks")) == " M   .\n .  0,1\nmarks"
    roads = Roads((Road("s", "a", 0.5, "2 cars"), Road("a", "t", 0.5, "2 cars"), Road("s", "t", 0.0, "0")), "cars")
    assert text_of(roads) == "s -> a  2 cars\na -> t  2 cars\ns -> t  0\ncars"
    assert positions(roads)["s"][0] == 0 and positions(roads)["t"][0] == 1.0


def test_images_take_any_numbers():
    wild = {"a": np.array([np.nan, -1.0]), "b": np.array([np.inf, 1e300]), "c": np.zeros(400)}
    image = frame(["title", "x" * 500], wild, Grid((("M", ""),), "caption"))
    assert image.dtype == np.uint8 and image.shape[2] == 3 and image.std() > 10


def test_without_pillow_the_extra_is_named(monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "lawgiver.envs.views.frames", raising=False)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"render_mode='rgb_array' needs .*lawgiver\[plot\]"):
        gymnasium.make("lawgiver/lanes-v0", role="mechanism", render_mode="rgb_array")
