"""Solvers of preference aggregation: what annotators' rewards, rankings and comparisons of replies are made into.

A policy is a distribution over K replies. It is bound to a reference q by a price tau on KL(p || q), and every rule
ends in such a policy: :mod:`~.tilting` has the best one for a reward, :mod:`~.mosaic` the payments under which nobody
gains by misreporting its reward, the other modules the rules that need an algorithm, and the models of what can go
wrong: :mod:`~.peaks`, :mod:`~.distortion`, :mod:`~.linear_choice`, :mod:`~.overoptimisation`.
"""
