"""The trainer ``q_learning``: tables of Q in repeated games, and whether those who learn them collude.

Calvano et al. 2020 let two pricing algorithms learn against each other, and found prices far above the Nash
equilibrium of a round, kept up by punishment of whoever deviates. Many sessions are played at once, in any game with
Discrete actions whose last joint action everybody sees, or, without memory, in any game of a single round. The
mechanism is given, or it learns what to announce while participants learn.
"""

from lawgiver.trainers.q_learning.settings import QLearningConfig
from lawgiver.trainers.q_learning.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=QLearningConfig,
    train=Deferred("lawgiver.trainers.q_learning.train:train"),
    evaluate=Deferred("lawgiver.trainers.q_learning.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.q_learning.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
