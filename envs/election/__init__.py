"""An election in which mechanisms compete for the votes of the people they have ruled."""

from lawgiver.envs.election.game import Election as Election
