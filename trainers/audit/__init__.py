"""Incentive audits of reporting games: what the best misreport found brings, and who pays and loses what.

One audit serves every rule that takes reports: a mechanism of a reporting game, or any function of types and reports.
"""

from lawgiver.trainers.audit.core import CHUNK, EFFORT, audit, audit_game, response_of
from lawgiver.trainers.audit.result import PROFITABLE, Audit, Regret
from lawgiver.trainers.audit.trials import Response

__all__ = ["CHUNK", "EFFORT", "PROFITABLE", "Audit", "Regret", "Response", "audit", "audit_game", "response_of"]
