"""Divisible resources shared by reported values and demands, without payments."""

from lawgiver.envs.payment_free_allocation.game import PaymentFreeAllocation

__all__ = ["PaymentFreeAllocation"]
