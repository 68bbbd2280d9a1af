"""Trainers, their runs, evaluation, audits, elections, figures, and the command line."""
