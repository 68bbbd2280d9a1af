"""Assignments of n items to n agents by fairness measures: optima, confidence bounds, questions, and regret bounds."""
