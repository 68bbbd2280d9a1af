"""What the tables of all trainers share: how numbers are written, and what they mean."""
