"""Announced mechanisms learned against participants in equilibrium: exact gradients, and two timescales."""
