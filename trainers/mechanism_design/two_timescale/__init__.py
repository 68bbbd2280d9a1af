"""The trainer ``two_timescale``: participants who learn fast under a mechanism that moves slowly."""

from lawgiver.trainers.mechanism_design.two_timescale.settings import TwoTimescaleConfig
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=TwoTimescaleConfig,
    train=Deferred("lawgiver.trainers.mechanism_design.two_timescale.train:train"),
    figures=Deferred("lawgiver.trainers.mechanism_design.figures:figures_of"),
    meanings={
        "reply_gap": "probability that a participant acts otherwise than its exact reply, once all have settled"
        " under the learned mechanism",
        "reply_gap_in_training": "the same when the training ended, before participants settled (as in the curves)",
        "score_in_training": "the objective a round of what they played then",
        "agent_updates": "steps of the participants' tables",
        "evaluations": "mechanisms whose objective was measured",
    },
)
