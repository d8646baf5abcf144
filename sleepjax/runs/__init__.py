"""Run directories: config, checkpoints, metrics, locks, and signals that stop a run."""
