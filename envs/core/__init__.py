"""The contract of a game, and what every game needs: arrays, fields, policies, objectives, the registry."""
