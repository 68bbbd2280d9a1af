"""The trainer ``commons_iterative``: a planner of a common pool from records of behaviour alone.

People play, clones are fitted to what they did, a planner is trained before the clones, people play under it, and so on
(Koster, Pislar et al. 2025, after Balaguer et al. 2022).
"""

from lawgiver.trainers.commons_iterative.settings import IterativeConfig
from lawgiver.trainers.commons_iterative.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=IterativeConfig,
    train=Deferred("lawgiver.trainers.commons_iterative.train:train"),
    evaluate=Deferred("lawgiver.trainers.commons.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.commons_iterative.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
