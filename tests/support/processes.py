"""Processes of their own for a test: how they are started, and how they are done without."""

from sleepjax.processing.engines import Local

QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
"""Flags that halve the time of compilation; the sums stay what they are."""


class InThisProcess(Local):
    """The engine of most tests of ``process``: quick, and what it is asked is answered here."""

    def ask(self, question):
        return question()

    def outcomes(self, inputs, work):
        yield from map(work, inputs)
