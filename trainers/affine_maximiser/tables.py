"""Meanings of the numbers in an affine maximiser's summary."""

MEANINGS = {
    "objective": "of the learned mechanism, on fresh profiles",
    "vcg": "objective of VCG on the same profiles",
    "limit": "known bound of the objective",
    "ratio_to_limit": "objective by that bound",
}
"""One line by key of the summary."""
