"""The trainer ``bidding``: bid functions of auctions, learned by networks.

Where no closed form of an equilibrium is known and tables would be too large, a network a group of seats that are
alike climbs its payoff against the others' bids as they are. What is reached is judged: by the distance from the
closed form where there is one, and by what a best reply would gain.
"""

from lawgiver.trainers.bidding.settings import BiddingConfig
from lawgiver.trainers.bidding.tables import MEANINGS, tables_of
from lawgiver.trainers.runs.trainer import Deferred, Trainer

trainer = Trainer(
    config=BiddingConfig,
    train=Deferred("lawgiver.trainers.bidding.train:train"),
    evaluate=Deferred("lawgiver.trainers.bidding.evaluation:evaluate_run"),
    figures=Deferred("lawgiver.trainers.bidding.figures:figures_of"),
    tables=tables_of,
    meanings=MEANINGS,
)
