"""Markov decision processes: exact solvers, and dynamic affine maximisers on them."""

from lawgiver.envs.mdp.affine import Settlement, problems, settle
from lawgiver.envs.mdp.discounted import Discounted
from lawgiver.envs.mdp.finite_horizon import FiniteHorizon
from lawgiver.envs.mdp.linear_program import linear_program
from lawgiver.envs.mdp.model import MDP
from lawgiver.envs.mdp.tree import Tree

__all__ = [
    "MDP",
    "Discounted",
    "FiniteHorizon",
    "Settlement",
    "Tree",
    "linear_program",
    "problems",
    "settle",
]
