"""How they learn: RLlib on two timescales, the differentiable path, evaluation, and the command line."""
