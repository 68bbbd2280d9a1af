"""The games: their rules, and the views of them that other libraries expect. NumPy only."""
