"""Trainers of a mechanism by its payoff alone: ``evolution``, ``bayesian`` and, as a reference, ``exact_search``.

They need neither gradients nor the steps of a game, only what a mechanism earns before participants who are given.
``exact_search`` looks for the best announced rule in the exact equilibrium of
participants who learn, which no other algorithm may look into.
"""

from lawgiver.trainers.black_box.settings import BayesianConfig, EvolutionConfig, ExactConfig
from lawgiver.trainers.runs.trainer import Deferred, Trainer

evolution = Trainer(config=EvolutionConfig, train=Deferred("lawgiver.trainers.black_box.cma_es:train"))
bayesian = Trainer(config=BayesianConfig, train=Deferred("lawgiver.trainers.black_box.gaussian_process:train"))
exact_search = Trainer(config=ExactConfig, train=Deferred("lawgiver.trainers.black_box.best_rule:train"))
