"""Two participants, payoffs of the user's own, and a mechanism that taxes them."""

from lawgiver.envs.bimatrix.game import Bimatrix

__all__ = ["Bimatrix"]
