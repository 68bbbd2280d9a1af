"""Congestion games: expected payoffs, Wardrop equilibria, optima and tolls."""
