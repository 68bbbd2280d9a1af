"""The user's own Markov decision process, from tables."""

from lawgiver.envs.tabular_mdp.game import TabularMDPGame

__all__ = ["TabularMDPGame"]
