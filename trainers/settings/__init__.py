"""Settings that the configs of several trainers share."""
