"""Training: state, step, checkpoints, writers and the one loop."""
