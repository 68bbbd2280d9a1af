"""A third party's package: games, an objective, policies, learned policies and trainers of its own."""
