"""The trainer ``payment_free``: a network that shares resources, between Nash welfare and what misreports bring."""

from lawgiver.trainers.payment_free.settings import PaymentFreeConfig
from lawgiver.trainers.payment_free.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=PaymentFreeConfig,
    train=Deferred("lawgiver.trainers.payment_free.train:train"),
    evaluate=Deferred("lawgiver.trainers.payment_free.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.payment_free.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
