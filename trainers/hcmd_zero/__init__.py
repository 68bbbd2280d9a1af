"""The trainer ``hcmd_zero``: Acquire, Model, Optimize, over and over (Balaguer et al. 2022).

A mechanism learns by self-play to win votes, from no mechanism at all.

Each iteration acquires behaviour under the newest mechanism, models it, and optimises the mechanism against the model.
"""

from lawgiver.trainers.hcmd_zero.settings import HcmdConfig
from lawgiver.trainers.hcmd_zero.tables import tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=HcmdConfig,
    train=Deferred("lawgiver.trainers.hcmd_zero.train:train"),
    evaluate=Deferred("lawgiver.trainers.hcmd_zero.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.hcmd_zero.figures:figures_of"),
    tables=tables_of,
)
