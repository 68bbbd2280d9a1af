"""The contract of a game and every view of it: PettingZoo (parallel, AEC), Gymnasium (single, vector)."""
