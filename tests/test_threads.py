"""Work in threads, in order."""

import threading

import pytest

from sleepjax.threads import WORKERS, in_order


def test_results_come_in_the_order_of_the_items_whatever_takes_longest():
    first_may_end = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert first_may_end.wait(10)
        else:
            first_may_end.set()
        return item * item

    assert list(in_order(work, range(7))) == [n * n for n in range(7)]


def test_few_items_are_held():
    taken = []
    items = (taken.append(n) or n for n in range(50))
    for result in in_order(lambda n: n, items):
        assert len(taken) <= result + WORKERS + 1


def test_what_came_before_an_item_that_cannot_be_had_is_given_first():
    def items():
        yield from range(2)
        raise ValueError("the file ends here")

    found = in_order(lambda n: n, items())
    assert [next(found), next(found)] == [0, 1]
    with pytest.raises(ValueError, match="the file ends here"):
        next(found)


def test_an_error_of_the_work_is_raised_in_its_turn():
    found = in_order(lambda n: 1 // n, [1, 0, 1])
    assert next(found) == 1
    with pytest.raises(ZeroDivisionError):
        next(found)
