"""Several runs at once: cross-validation, sweeps, ensembles trained side by side."""
