"""The trainer ``aggregation``: a policy of annotators' reports, between welfare and what misreports bring."""

from lawgiver.trainers.aggregation.settings import AggregationConfig
from lawgiver.trainers.aggregation.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=AggregationConfig,
    train=Deferred("lawgiver.trainers.aggregation.train:train"),
    evaluate=Deferred("lawgiver.trainers.aggregation.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.aggregation.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
