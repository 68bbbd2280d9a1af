"""Families of games: what games of one kind share beyond the contract of :mod:`lawgiver.envs.core`."""
