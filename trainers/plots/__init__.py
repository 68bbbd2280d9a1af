"""What the figures of all trainers share: colours, panels, curves."""
