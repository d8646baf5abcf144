"""Several runs of one config: sweeps, and every part of a run tried once before it."""
