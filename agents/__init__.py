"""Policies of mechanisms, participants and voters: rules of thumb and networks."""
