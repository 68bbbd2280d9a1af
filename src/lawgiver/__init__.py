"""lawgiver: environments in which the rules of the game are learned together with the people who live under them.

``import lawgiver`` registers every installed game with Gymnasium and PettingZoo; it imports neither torch nor ray.
"""

from lawgiver import rllib
from lawgiver.envs.core.registry import load_policy as load
from lawgiver.envs.core.registry import make_game, make_policy, register_views

__all__ = ["load", "make_game", "make_policy", "rllib"]

register_views()
