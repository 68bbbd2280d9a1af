"""RLlib at tensor speed: participants of bounded rationality and a mechanism, trained on two timescales."""
