"""Two participants, payoffs of the user's own, and a mechanism that taxes them."""

from lawgiver.envs.bimatrix.game import Bimatrix, BimatrixState

__all__ = ["Bimatrix", "BimatrixState"]
