"""Exact and low-variance gradients of vote shares, in torch."""
