"""Threads that work on the next few items while the first is waited for."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2


def in_order(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int = WORKERS,
    ahead: int = WORKERS,
) -> Generator[Result]:
    """Results of ``work`` in the order of the items, of which ``ahead`` are worked on or wait.

    Where an item cannot be had, the results of those before it come first, then the error. Threads
    suffice where the work is done outside the interpreter's lock, as polars, NumPy and JAX do.
    """
    waiting: deque = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            source, fault = iter(items), None
            while fault is None:
                try:
                    item = next(source)
                except StopIteration:
                    break
                except Exception as error:
                    fault = error
                    break
                waiting.append(pool.submit(work, item))
                del item
                while len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
            if fault is not None:
                raise fault
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
