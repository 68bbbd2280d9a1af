"""Annotators with rewards of their own over replies, and the policy that a mechanism makes of what they report."""

from lawgiver.envs.preference_aggregation.game import PreferenceAggregation

__all__ = ["PreferenceAggregation"]
