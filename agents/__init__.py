"""Who plays: mechanisms and participants, as rules of thumb or as networks."""
