"""Fits of simulated people to what humans did, one module a game."""
