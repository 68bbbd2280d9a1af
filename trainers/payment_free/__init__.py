"""The trainer ``payment_free``: a network that shares resources, between Nash welfare and what misreports bring."""

from lawgiver.trainers.payment_free.settings import PaymentFreeConfig
from lawgiver.trainers.runs.trainer import Trainer, deferred

trainer = Trainer(
    config=PaymentFreeConfig,
    train=deferred("lawgiver.trainers.payment_free.train:train"),
    evaluate=deferred("lawgiver.trainers.payment_free.evaluation:evaluate_run"),
    figures=deferred("lawgiver.trainers.payment_free.figures:figures_of"),
)
