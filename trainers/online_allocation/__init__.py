"""The trainer ``online_allocation``: a network that assigns items and chooses whom to ask about their values."""

from lawgiver.trainers.online_allocation.settings import OnlineAllocationConfig
from lawgiver.trainers.online_allocation.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=OnlineAllocationConfig,
    train=Deferred("lawgiver.trainers.online_allocation.train:train"),
    evaluate=Deferred("lawgiver.trainers.online_allocation.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.online_allocation.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
