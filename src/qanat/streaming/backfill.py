"""What a backfill of a pipeline consists of: which tables and reports can be rebuilt, from what, and by which operation."""

import os
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from qanat.clock import Clock
from qanat.errors import ConfigError
from qanat.interfaces import Store
from qanat.pipeline import Deduplicate, Pipeline, Report, Stage
from qanat.reports.answer import compute
from qanat.runtime.commit import Committer
from qanat.runtime.rebuild import Rebuild, Span
from qanat.runtime.rebuild_reports import remake_stored
from qanat.runtime.refill import Refill
from qanat.runtime.windows import is_stored
from qanat.session import Json, Operation
from qanat.streaming.declared import topic_named
from qanat.streaming.settings import Transforms
from qanat.streaming.transforming import transforming
from qanat.telemetry import Telemetry
from qanat.wiring import open_log

STAGE = "backfill"
"""Under which name its commits are counted."""


def targets(pipeline: Pipeline) -> Sequence[str]:
    """Return what can be rebuilt, in the order in which one is made of the other: tables, then stored reports."""
    tables = [
        table.name
        for stage in pipeline.stages
        if stage.deduplicate is not None
        for table in (stage.deduplicate.table, *(write.table for write in stage.writes))
    ]
    reports = [report.name for report in pipeline.reports if is_stored(report)]
    return [*dict.fromkeys(tables), *reports]


def backfill_operations(
    pipeline: Pipeline, clock: Clock, telemetry: Telemetry
) -> Mapping[str, Operation]:
    """Return the operation `backfill` (see `qanat.session.Session.call`).

    It takes the `target`, a table or a report; `since` and `until` as ISO 8601 or null; and `log` and `data_dir`, as the settings
    have them. It answers with `target`, `kind` (`refilled`, `rebuilt` or `remade`), `records` and `rows`.
    """

    def backfill(
        store: Store,
        target: str,
        since: str | None,
        until: str | None,
        log: str,
        data_dir: str,
    ) -> dict[str, Json]:
        work = _Work(pipeline, Committer(store, pipeline.name, STAGE, clock, telemetry))
        span = Span(_moment(since), _moment(until))
        return work.carry_out(target, span, log, Path(data_dir))

    return {"backfill": backfill}


@dataclass(frozen=True, slots=True)
class _Work:
    pipeline: Pipeline
    committer: Committer

    def carry_out(self, target: str, span: Span, log: str, data_dir: Path) -> dict[str, Json]:
        """Rebuild one table or report.

        Raises:
            ConfigError: It can't be rebuilt, or not within these bounds.
            Busy: Somebody else does so now.
        """
        for stage in self.pipeline.stages:
            by = stage.deduplicate
            if by is None:
                continue
            if target == by.table.name:
                return self._refill(stage, by, span, log, data_dir)
            if target in {write.table.name for write in stage.writes}:
                return self._rebuild(stage, by, target, span)
        for report in filter(is_stored, self.pipeline.reports):
            if target == report.name:
                return self._remake(report, span)
        valid = (
            ", ".join(targets(self.pipeline)) or "absent: this pipeline has nothing of that kind"
        )
        raise ConfigError("TABLE", target, f"one of {valid}")

    def _rebuild(self, stage: Stage, by: Deduplicate, target: str, span: Span) -> dict[str, Json]:
        from qanat.streaming.transforms import table_writes

        writes = table_writes(self.pipeline)[stage.name]()
        write = next(each for each in writes if each.table.name == target)
        done = Rebuild(self.committer, by, write, span, _owner()).run()
        return _answer(target, "rebuilt", done.records, done.rows)

    def _refill(
        self, stage: Stage, by: Deduplicate, span: Span, log: str, data_dir: Path
    ) -> dict[str, Json]:
        if stage.input.kind != "topic":
            raise ConfigError(
                "TABLE", by.table.name, "one whose stage reads a topic",
                hint=f"{stage.name} reads {stage.input.name}, which can't be read again from here.",
            )  # fmt: skip
        topic = topic_named(self.pipeline, stage.input.name)
        clock = self.committer.clock
        with (
            closing(open_log(log, self.pipeline.name, data_dir, clock)) as opened,
            closing(opened.source(topic, STAGE)) as source,
            transforming(stage, Transforms.PROCESS, threading.Event()) as transform,
        ):
            refill = Refill(self.committer, stage.name, by, source, span, _owner(), transform)
            done = refill.run()
        return _answer(by.table.name, "refilled", done.records, done.rows)

    def _remake(self, report: Report, span: Span) -> dict[str, Json]:
        made, differ = remake_stored(self.committer, report, compute, span)
        return _answer(report.name, "remade", made, differ)


def _answer(target: str, kind: str, records: int, rows: int) -> dict[str, Json]:
    return {"target": target, "kind": kind, "records": records, "rows": rows}


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
