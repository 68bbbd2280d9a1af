"""The views of a game that other libraries expect: PettingZoo (parallel, AEC), Gymnasium (single, vector)."""
