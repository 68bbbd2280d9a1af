"""A follower that is learned: who walks in a world of too many states for tables, as well as it can, by experience.

An affine maximiser needs somebody who maximises affine welfare in the world, with all participants and without each of
them. Here that is a network (:mod:`lawgiver.agents.follower`). What is charged follows from its own walks, so truth
need not be best for everybody: how much a misreport brings is audited and told.
"""

from lawgiver.trainers.learned_follower.train import train

__all__ = ["train"]
