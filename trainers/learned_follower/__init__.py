"""The trainer ``learned_follower``: reinforcement learning of who maximises affine welfare where no table fits.

An affine maximiser needs somebody who maximises affine welfare in the world, with all participants and without each of
them. Here that is a network (:mod:`lawgiver.agents.follower`). What is charged follows from its own walks, so truth
need not be best for everybody: how much a misreport brings is audited and told.
"""

from lawgiver.trainers.learned_follower.settings import FollowerConfig
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=FollowerConfig,
    train=Deferred("lawgiver.trainers.learned_follower.train:train"),
    evaluate=Deferred("lawgiver.trainers.learned_follower.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.learned_follower.figures:figures_of"),
)
