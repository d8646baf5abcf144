"""Engines: the same work in processes of this machine, or of a Ray cluster.

Each input is processed in a process that may be ended at any moment, by its time limit or by the
operating system: that input has failed then, and no other one. Processes are spawned, not forked:
a fork would copy the locks of threads that JAX and polars run.
"""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessPool

from sleepjax.processing.inputs import Input
from sleepjax.processing.results import FAILED, Outcome
from sleepjax.types import InputError

Answer = TypeVar("Answer")
Work = Callable[[Input], Outcome]

AHEAD = 2
"""Inputs that are handed out per process, so that memory does not grow with their number."""
RETRIES = 3
"""How often Ray gives an input to another worker when it lost one."""


class Local:
    """``jobs`` processes of this machine, with ``timeout`` seconds for each input."""

    def __init__(self, jobs: int, timeout: float):
        self.jobs, self.timeout = jobs, timeout
        self.pool = _pool(jobs)

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """The answer of one of the processes; raises what the question raises."""
        return _asked(self.pool, question)

    def outcomes(self, inputs: Iterable[Input], work: Work) -> Iterator[Outcome]:
        """What became of each input, in the order in which they end."""
        running: dict[Future, Input] = {}
        for one in inputs:
            if len(running) >= AHEAD * self.jobs:
                yield from self._ended(running)
            running[self.pool.schedule(work, args=[one], timeout=self.timeout)] = one
        while running:
            yield from self._ended(running)

    def _ended(self, running: dict[Future, Input]) -> Iterator[Outcome]:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield _outcome(future, running.pop(future), self.timeout)

    def close(self) -> None:
        """End the processes."""
        self.pool.stop()
        self.pool.join()


class OnRay:
    """The Ray cluster of RAY_ADDRESS, or one of this machine.

    A worker keeps one process as `Local` does, with the same time limit. Where the worker or its
    node is lost, Ray gives the input to another one; a result that is there is not made again.
    """

    def __init__(self, timeout: float):
        """Connect; raises InputError where there is no Ray or no cluster."""
        try:
            import ray
        except ImportError:
            raise InputError('--engine ray needs Ray: pip install "sleepjax[ray]".') from None
        self.ray: Any = ray
        self.timeout = timeout
        try:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the cluster
            ray.init(log_to_driver=False, logging_level=logging.WARNING)
        except ConnectionError as error:
            address = os.environ.get("RAY_ADDRESS")
            raise InputError(f"RAY_ADDRESS={address!r}: no cluster answers ({error}).") from None

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """As `Local`."""
        return _asked(_kept_pool(), question)

    def outcomes(self, inputs: Iterable[Input], work: Work) -> Iterator[Outcome]:
        """As `Local`."""
        ray = self.ray
        remote = ray.remote(num_cpus=1, max_retries=RETRIES)(isolated)
        slots = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        there = ray.put(work)
        running: dict[Any, Input] = {}
        for one in inputs:
            if len(running) >= slots:
                yield self._ended(running)
            running[remote.remote(one, there, self.timeout)] = one
        while running:
            yield self._ended(running)

    def _ended(self, running: dict[Any, Input]) -> Outcome:
        (ready, *_), _ = self.ray.wait(list(running))
        one = running.pop(ready)
        try:
            return self.ray.get(ready)
        except self.ray.exceptions.RayError as error:
            what = type(error).__name__
            reason = f"Ray lost the worker of this file {RETRIES + 1} times ({what}); run again"
            return Outcome(one.name, FAILED, reason)

    def close(self) -> None:
        """As `Local`, and leave the cluster."""
        _kept_pool().stop()
        _kept_pool().join()
        _kept_pool.cache_clear()
        self.ray.shutdown()


Engine = Local | OnRay


def isolated(one: Input, work: Work, timeout: float) -> Outcome:
    """The outcome of one input, from the process that this worker keeps for it and later ones."""
    future = _kept_pool().schedule(work, args=[one], timeout=timeout)
    return _outcome(future, one, timeout)


@lru_cache(1)
def _kept_pool() -> ProcessPool:
    return _pool(1)


def _pool(jobs: int) -> ProcessPool:
    pool = ProcessPool(jobs, context=multiprocessing.get_context("spawn"))
    try:
        with _signals_wait():
            pool.active  # noqa: B018  starts the processes
    except BaseException:
        pool.stop()
        pool.join()
        raise
    return pool


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold back what would stop this process while it starts others.

    A process that has not been told yet what it is for would end with a traceback.
    """
    waiting: list[int] = []
    here = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if here else ()
    heard = [n for n in numbers if signal.getsignal(n) is not signal.SIG_IGN]
    before = {n: signal.signal(n, lambda number, frame: waiting.append(number)) for n in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in waiting:
            signal.raise_signal(number)


def _asked(pool: ProcessPool, question: Callable[[], Answer]) -> Answer:
    try:
        return pool.schedule(question).result()
    except ProcessExpired as error:
        raise InputError(f"a process was ended ({_cause(error.exitcode)}).") from None


def _outcome(future: Future, one: Input, timeout: float) -> Outcome:
    """What the process says of the input, or what is to be said of its process."""
    try:
        return future.result()
    except TimeoutError:
        reason = f"it took longer than {timeout:g} s; give a longer --timeout"
    except ProcessExpired as error:
        reason = f"its process was ended ({_cause(error.exitcode)}); run again"
    return Outcome(one.name, FAILED, reason)


def _cause(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "SIGKILL, perhaps for lack of memory: fewer --jobs need less"
    return signal.Signals(-code).name if code and code < 0 else f"exit code {code}"
