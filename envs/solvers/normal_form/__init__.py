"""Normal-form games of any number of players: forms, learning dynamics, equilibria, and the oracles that open them."""
