"""The trainer ``commons``: a planner that keeps a common pool alive, and the rule of few numbers that explains it.

The planner's network climbs the welfare of simulated people through the rules of the pool and through what they return;
then a rule out of the game's family is fitted to its offers, and both stand for election (Koster, Pislar et al. 2025).
"""

from lawgiver.trainers.commons.settings import CommonsConfig
from lawgiver.trainers.commons.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=CommonsConfig,
    train=Deferred("lawgiver.trainers.commons.train:train"),
    evaluate=Deferred("lawgiver.trainers.commons.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.commons.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
