"""Equilibria of one-round and tabular games: logit equilibria, fixed points, incentives."""
