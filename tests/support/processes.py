"""How tests of commands that start processes do without them."""

from sleepjax.processing.engines import Local


class InThisProcess(Local):
    """The engine of most tests of ``process``: quick, and what it is asked is answered here."""

    def ask(self, question):
        return question()

    def outcomes(self, inputs, work):
        yield from map(work, inputs)
