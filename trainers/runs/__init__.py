"""The kernel of every training: the run folder, configs, checkpoints, logs, launching."""
