"""Pipelines of streams, put together from their declarations: run, demonstrated, replayed."""

from collections.abc import Mapping
from typing import Final

STREAM_OPERATIONS: Final[Mapping[str, str]] = {
    "run": "qanat.streaming.run:command",
    "prove": "qanat.prove.streams.command:command",
    "demo": "qanat.streaming.demo:command",
    "replay": "qanat.streaming.replaying:command",
}
"""What `qanat` can do with any pipeline of streams; each makes the command of one pipeline."""
