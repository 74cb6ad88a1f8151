"""A stage's transform: in the stage's thread, and where batches are large in a process of its own.

Python runs one thread at a time: while a function works on a large batch the other stages wait for it. In another process it
leaves them the interpreter, and takes another core. The function and what comes of it are the same.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, cast

from qanat.clock import SystemClock
from qanat.errors import Retryable
from qanat.pipeline import Stage
from qanat.records import Transformed
from qanat.runtime.stream_topics import Transform, unchanged
from qanat.streaming.settings import Transforms
from qanat.streaming.transform_process import TransformProcess, Unfit
from qanat.streaming.transform_words import Failed
from qanat.telemetry import log
from qanat.wiring import load

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_MIN = 2_000
"""Rows of a batch from which on it goes to the process. A live stream doesn't come to so many; who catches up does.

So many events of `wikimedia` take 7.8 ms in the thread; handed over they take as long, of which the run has work for 0.65 ms. At
50,000 it is 200 ms and 10 ms. Below 1,000 it takes longer than in the thread. A process takes 0.3 s to start.
"""

DEATHS_MAX = 3
"""So many times the process may die; then the thread does everything."""

IDLE_S_MAX = 60.0
"""The first small batch so long after the last large one ends the process, and its memory; the next large one starts another."""


@contextmanager
def transforming(stage: Stage, where: Transforms, stop: threading.Event) -> Iterator[Transform]:
    """Give a stage's transform, until the end of the context."""
    if not stage.transform:
        yield unchanged
        return
    function = cast("Transform", load(stage.transform))
    if where is Transforms.THREAD or not _can_start() or (os.cpu_count() or 1) == 1:
        yield function
        return
    with closing(Transforming(stage.name, stage.transform, function, stop)) as transform:
        yield transform


def _can_start() -> bool:
    return os.name == "posix" and bool(sys.executable)


@dataclass(slots=True)
class Transforming:
    """A transform that goes to a process when that is worth it. One thread calls it.

    Attributes:
        stage: Whose it is.
        reference: Where its function is found.
        function: The function.
        stop: Set when the run is to stop.
    """

    stage: str
    reference: str
    function: Transform
    stop: threading.Event = field(default_factory=threading.Event)
    _began: float = field(default_factory=lambda: SystemClock().now().timestamp())
    _process: TransformProcess | None = None
    _used_s: float = 0.0
    _deaths: int = 0
    _given_up: bool = False

    def __call__(self, rows: "pa.Table", judged_at: datetime) -> Transformed:
        """Transform a batch, as the function does; what the function raises is raised here."""
        if rows.num_rows < ROWS_MIN or self._given_up:
            self._rest()
            return self.function(rows, judged_at)
        answer = self._beside(rows, judged_at)
        if isinstance(answer, Transformed):
            return answer
        made = self.function(rows, judged_at)
        if answer is not None:
            self._give_up(answer.reason)  # it fails there alone
        return made

    @property
    def pid(self) -> int | None:
        """The number of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    def close(self) -> None:
        """End the process. May be called again."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _beside(self, rows: "pa.Table", judged_at: datetime) -> Transformed | Failed | None:
        """Have a batch transformed by the process; None when the thread has to."""
        self._used_s = time.monotonic()
        try:
            if self._process is None:
                self._process = TransformProcess(self.reference)
                log("transform.started", stage=self.stage, process=self._process.pid)
            if not self._process.is_ready(self._began):
                return None
            return self._process.transform(rows, judged_at, self.stop)
        except EOFError:
            self._died()
        except (OSError, Unfit) as error:
            self._give_up(str(error))
        except Retryable:
            self.close()
            raise
        return None

    def _died(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        code = process.close()
        self._deaths += 1
        log(
            "transform.died",
            level=logging.WARNING,
            stage=self.stage,
            process=process.pid,
            code=code,
        )
        if self._deaths >= DEATHS_MAX:
            self._give_up(f"its process died {self._deaths} times")

    def _give_up(self, reason: str) -> None:
        self._given_up = True
        self.close()
        log("transform.in_thread", stage=self.stage, reason=reason)

    def _rest(self) -> None:
        if self._process is not None and time.monotonic() - self._used_s > IDLE_S_MAX:
            self.close()
