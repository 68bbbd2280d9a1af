"""Optimised dynamic affine maximisers: the trainer ``affine_maximiser`` and the searches it chooses from."""
