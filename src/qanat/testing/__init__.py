"""What a test of a pipeline needs: a clock that stands still, a store and a source in memory.

The laws that an implementation of your own has to keep are in `qanat.testing.laws`, which needs
pytest and Hypothesis.
"""

from qanat.testing.clock import FakeClock
from qanat.testing.memory_database import MemoryDatabase
from qanat.testing.memory_log import Crash, Crashed, End, Fail, MemoryLog, Pause
from qanat.testing.memory_source import MemorySource
from qanat.testing.memory_store import MemoryStore
from qanat.testing.memory_topics import MemoryTopics

__all__ = [
    "Crash",
    "Crashed",
    "End",
    "Fail",
    "FakeClock",
    "MemoryDatabase",
    "MemoryLog",
    "MemorySource",
    "MemoryStore",
    "MemoryTopics",
    "Pause",
]
