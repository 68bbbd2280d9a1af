"""Incentive audits of reporting games and auctions: regret from misreporting, individual rationality, budget, payments.

The audit takes any rule with reports: a mechanism of a reporting game, an auction, or a function of types and reports.
"""

from lawgiver.trainers.audit.auctions import audit_auction
from lawgiver.trainers.audit.core import CHUNK, EFFORT, audit, audit_game, response_of
from lawgiver.trainers.audit.ex_interim import ExInterim
from lawgiver.trainers.audit.result import PROFITABLE, Audit, Regret
from lawgiver.trainers.audit.trials import Response

__all__ = [
    "CHUNK",
    "EFFORT",
    "PROFITABLE",
    "Audit",
    "ExInterim",
    "Regret",
    "Response",
    "audit",
    "audit_auction",
    "audit_game",
    "response_of",
]
