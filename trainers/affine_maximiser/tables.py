"""What the numbers of an affine maximiser mean; it has no tables but these."""

MEANINGS = {
    "objective": "of the learned mechanism, on fresh profiles",
    "vcg": "objective of VCG on the same profiles",
    "limit": "known bound of the objective",
    "ratio_to_limit": "objective by that bound",
}
"""What single numbers of a summary mean."""
