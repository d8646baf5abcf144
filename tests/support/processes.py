"""Processes of their own for a test: how they are started."""

QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""Flags that halve the time of compilation; the sums stay what they are."""
