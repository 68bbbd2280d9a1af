"""RLlib at tensor speed: participants of bounded rationality and a mechanism, trained on two timescales."""

from lawgiver.trainers.rllib.train import train

__all__ = ["train"]
