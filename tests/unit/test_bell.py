"""The bell that wakes the idle threads of a run."""

import threading

from qanat.bell import Bell

# Never waited for in full unless the test fails.
PATIENCE_S = 60.0


def test_a_ring_while_looking_for_work_isnt_missed() -> None:
    """Who has looked for work since the bell rang doesn't wait for the next time."""
    bell = Bell()
    heard = bell.count
    bell.ring()
    assert bell.wait(heard, PATIENCE_S)
    assert not bell.wait(bell.count, 0.0)


def test_everybody_who_waits_is_woken() -> None:
    """One ring ends the waits of all threads."""
    bell, woken = Bell(), list[bool]()
    threads = [
        threading.Thread(target=lambda: woken.append(bell.wait(0, PATIENCE_S))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    bell.ring()
    for thread in threads:
        thread.join()
    assert woken == [True, True, True]
