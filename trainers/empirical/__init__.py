"""Games as empirical normal forms: payoffs of strategies against each other, and their solutions with errors."""
