"""Search over a config's values with Ray Tune: ``lawgiver.tune``."""
