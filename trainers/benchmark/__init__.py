"""``lawgiver benchmark``: learning algorithms on a fixed set of tasks, from 0, a named baseline, to 1, the optimum."""
