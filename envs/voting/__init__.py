"""Voting: a rule chooses among alternatives by ballots."""

from lawgiver.envs.voting.game import Voting

__all__ = ["Voting"]
