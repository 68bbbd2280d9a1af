"""Figures shared by all trainers: colours, panels, curves."""
