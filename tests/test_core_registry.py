"""What is said where an optional package is missing."""

import builtins
import sys
from pathlib import Path

import pettingzoo
import pytest

import lawgiver  # noqa: F401  registers the games
from lawgiver.envs.core.errors import MissingExtraError, ParameterError
from lawgiver.envs.core.registry import extras, make_game
from lawgiver.trainers.runs import _checked_policy


def test_a_missing_extra_is_named():
    with pytest.raises(MissingExtraError, match=r"this needs torch: pip install 'lawgiver\[torch\]'"), extras("this"):
        raise ModuleNotFoundError("no torch", name="torch.nn")
    with pytest.raises(ModuleNotFoundError, match="no other"), extras("this"):
        raise ModuleNotFoundError("no other", name="other")


def test_a_learned_policy_says_that_it_needs_torch(monkeypatch, tmp_path: Path):
    real = builtins.__import__

    def without_torch(name, *args, **kwargs):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "lawgiver.agents.learned", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_torch)
    with pytest.raises(MissingExtraError, match=r"the learned policy in .* needs torch"):
        _checked_policy(tmp_path, None)


def test_presets_are_published_settings_to_begin_from() -> None:
    game = make_game("sequential_sales", preset="asymmetric", n=4)
    assert game == make_game("sequential_sales", n=4, high="1/i")
    assert make_game("sequential_sales", preset="asymmetric", high=2.0) == make_game("sequential_sales", high=2.0)
    with pytest.raises(ParameterError, match="did you mean 'asymmetric'"):
        make_game("sequential_sales", preset="asymetric")
    with pytest.raises(ParameterError, match="parameter 'preset'"):
        make_game("lanes", preset="symmetric")
    env = pettingzoo.make("parallel", "lawgiver/task_scheduling-v0", preset="asymmetric")
    assert env.unwrapped.game == make_game("task_scheduling", high="3i")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda: pettingzoo.make("parallel", "lawgiver/election-v0", n_rounds=3),
            "neither 'election-v0' nor its view has a parameter 'n_rounds': did you mean 'n_rounds' among the"
            " parameters of public_investment in 'base'?",
        ),
        (
            lambda: make_game("repeated_allocation", m=3),
            "game 'repeated_allocation-v0' has no parameter 'm': did you mean 'm' among the parameters of"
            " payment_free_allocation in 'stage'?",
        ),
        (
            lambda: pettingzoo.make("aec", "lawgiver/public_investment-v0", mechanism="manifold", w=1),
            "did you mean mechanism={'policy': 'manifold', 'w': ...}?",
        ),
        (lambda: pettingzoo.make("aec", "lawgiver/lanes-v0", mechanism="no_mechanism", bx=1), "did you mean 'box'? "),
    ],
)
def test_a_parameter_that_belongs_one_level_deeper_is_proposed_there(made, said: str) -> None:
    with pytest.raises(ParameterError) as error:
        made()
    assert said in str(error.value)
