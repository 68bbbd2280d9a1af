"""Games, exact solvers, and the views of games that other libraries expect. Rules run on NumPy and on torch."""
