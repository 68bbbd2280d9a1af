"""Checks that any game can be put through; see :mod:`lawgiver.testing`, which adds those that need PyTorch."""
