"""Principals who pay each other's learning agents, and a mechanism that sets the rules of the game among the agents."""

from lawgiver.envs.payment_policies.game import PaymentPolicies

__all__ = ["PaymentPolicies"]
