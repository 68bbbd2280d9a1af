"""Normal-form games of any number of participants, played round after round without a mechanism."""

from lawgiver.envs.matrix.game import MatrixGame

__all__ = ["MatrixGame"]
