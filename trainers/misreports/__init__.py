"""Misreports in trainings: searched at every update, warm-started where a profile recurs.

What a search in training finds are loose lower bounds: results are judged by :mod:`lawgiver.trainers.audit`.
"""
