"""The fast path for games with an announced mechanism: the mechanism slow, the participants' table fast."""

from lawgiver.trainers.mechanism_design.two_timescale.train import train

__all__ = ["train"]
