"""Exact solvers, by field; each states the model, the formula and its source, and returns a certificate."""
