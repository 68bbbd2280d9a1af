"""The trainer ``learned_follower``: a network that maximises affine welfare where tables are too large.

An affine maximiser solves a planning problem with all participants, and one without each of them. Here a network
(:mod:`lawgiver.agents.follower`) solves them approximately, and payments follow from its own walks. Truth-telling is
therefore only approximately optimal: the gains of misreports are audited and reported.
"""

from lawgiver.trainers.learned_follower.settings import FollowerConfig
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=FollowerConfig,
    train=Deferred("lawgiver.trainers.learned_follower.train:train"),
    evaluate=Deferred("lawgiver.trainers.learned_follower.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.learned_follower.figures:figures_of"),
)
