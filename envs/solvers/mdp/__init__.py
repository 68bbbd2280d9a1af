"""Markov decision processes: exact solvers, and dynamic affine maximisers on them."""

from lawgiver.envs.solvers.mdp.affine import Settlement, problems, settle
from lawgiver.envs.solvers.mdp.discounted import Discounted
from lawgiver.envs.solvers.mdp.finite_horizon import FiniteHorizon
from lawgiver.envs.solvers.mdp.linear_program import linear_program
from lawgiver.envs.solvers.mdp.model import MDP
from lawgiver.envs.solvers.mdp.tree import Tree

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
