"""The trainer ``menu``: truthful auctions of several items, as menus of lotteries whose numbers are learned.

With one bidder that is a list of bundles and prices (RochetNet, Duetting et al. 2019), with several an affine maximiser
over lotteries (Curry, Sandholm and Dickerson 2023). Menus are truthful whatever their numbers are, so that bidders need
not be learned.
"""

from lawgiver.trainers.menu.settings import MenuConfig
from lawgiver.trainers.menu.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=MenuConfig,
    train=Deferred("lawgiver.trainers.menu.train:train"),
    evaluate=Deferred("lawgiver.trainers.menu.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.menu.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
