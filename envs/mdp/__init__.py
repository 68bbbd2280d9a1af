"""Markov decision processes: exact solvers, and dynamic affine maximisers on them."""

from lawgiver.envs.mdp.tree import Tree

__all__ = ["Tree"]
