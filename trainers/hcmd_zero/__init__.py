"""HCMD-zero (Balaguer et al. 2022): a mechanism that learns by self-play to win votes, from no mechanism at all.

Each iteration acquires behaviour under the newest mechanism, models it, and optimises the mechanism against the model.
"""
