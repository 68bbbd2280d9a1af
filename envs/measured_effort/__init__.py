"""Measured effort: people work for what is measured, and a mechanism weighs the tests."""

from lawgiver.envs.measured_effort.game import MeasuredEffort

__all__ = ["MeasuredEffort"]
