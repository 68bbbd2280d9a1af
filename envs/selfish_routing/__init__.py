"""Selfish routing: agents choose their ways through a network, and a mechanism sets tolls."""
