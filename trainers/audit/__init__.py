"""Incentive audits of reporting games: regret from misreporting, individual rationality, budget and payments.

The audit takes any rule with reports: a mechanism of a reporting game, or a function of types and reports.
"""

from lawgiver.trainers.audit.core import CHUNK, EFFORT, audit, audit_game, response_of
from lawgiver.trainers.audit.result import PROFITABLE, Audit, Regret
from lawgiver.trainers.audit.trials import Response

__all__ = ["CHUNK", "EFFORT", "PROFITABLE", "Audit", "Regret", "Response", "audit", "audit_game", "response_of"]
