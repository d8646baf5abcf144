"""Pictures and pages: nights, actograms, curves, mistakes, the report of a run."""
