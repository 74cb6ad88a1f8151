"""What can be asked of a pipeline of streams, whoever holds its store."""

from collections.abc import Mapping

from qanat.clock import Clock, SystemClock
from qanat.interfaces import Store
from qanat.pipeline import Pipeline
from qanat.runtime.commit import Committer
from qanat.session import Json, Operation
from qanat.streaming.backfill import backfill_operations
from qanat.telemetry import Telemetry


def offered(pipeline: Pipeline) -> Mapping[str, Operation]:
    """Return the operations for a session; see `Pipeline.offers`."""
    return operations(pipeline)


def operations(
    pipeline: Pipeline,
    clock: Clock | None = None,
    telemetry: Telemetry | None = None,
) -> Mapping[str, Operation]:
    """Return every operation by name; each takes the store first, then arguments that JSON can carry."""
    clock, telemetry = clock or SystemClock(), telemetry or Telemetry()

    def replay_letter(store: Store, letter: str, text: str | None) -> dict[str, Json]:
        from qanat.streaming.replay import replay

        committer = Committer(store, pipeline.name, "replay", clock, telemetry)
        return {"letter": letter, "records": replay(pipeline, committer, letter, text)}

    def drop_letter(store: Store, letter: str) -> dict[str, Json]:
        from qanat.streaming.replay import drop

        drop(Committer(store, pipeline.name, "replay", clock, telemetry), letter)
        return {"letter": letter, "state": "dropped"}

    backfill = backfill_operations(pipeline, clock, telemetry)
    return {"replay": replay_letter, "drop": drop_letter, **backfill}
