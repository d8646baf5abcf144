"""Training: state, step, input and the one loop."""
