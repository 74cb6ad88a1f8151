"""The store isn't given more statements at a time than its memory holds what they read."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from qanat.interfaces import Scalar, Store
from qanat.serve.limited import LimitedSession
from qanat.session import held

STATEMENTS_MAX = 2
TIMEOUT_S = 30.0


def test_so_many_at_a_time(sample: Store) -> None:
    """Two run and the others wait, until one of them ends; all are answered, those behind one that failed too."""
    running, most = threading.Semaphore(STATEMENTS_MAX), threading.Barrier(STATEMENTS_MAX)
    session = held(sample)
    asked = session.query

    def query(
        sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> pa.Table:
        assert running.acquire(blocking=False), "more than were let in"
        try:
            most.wait(TIMEOUT_S)  # as many do run
            if parameters == {"n": 0}:
                raise ValueError("wrong")
            return asked(sql, parameters, limit_s=limit_s)
        finally:
            running.release()

    session.query = query  # type: ignore[method-assign]
    limited = LimitedSession(session, TIMEOUT_S, STATEMENTS_MAX)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(limited.query, "select $n as n", {"n": n}) for n in range(8)]
        failed, *found = waiting
        assert isinstance(failed.exception(TIMEOUT_S), ValueError)
        assert list(range(1, 8)) == [each.result(TIMEOUT_S)["n"][0].as_py() for each in found]
