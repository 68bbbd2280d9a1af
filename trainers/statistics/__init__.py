"""Statistics of what was measured: estimates with intervals, over seeds and over groups."""
