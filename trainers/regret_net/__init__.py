"""The trainer ``regret_net``: a network that sells several items, between revenue and what misreports gain."""

from lawgiver.trainers.regret_net.settings import RegretNetConfig
from lawgiver.trainers.regret_net.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=RegretNetConfig,
    train=Deferred("lawgiver.trainers.regret_net.train:train"),
    evaluate=Deferred("lawgiver.trainers.regret_net.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.regret_net.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
