"""Large batches are transformed beside the run as in its thread; small ones in the thread."""

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from qanat.pipeline import Input, Order, Stage
from qanat.pipelines.wikimedia.clean import clean
from qanat.pipelines.wikimedia.generator import Options
from qanat.runtime.stream_topics import unchanged
from qanat.streaming import transforming as under_test
from qanat.streaming.settings import Transforms
from qanat.streaming.transforming import ROWS_MIN, Transforming, transforming
from qanat.wiring import pipeline_named
from tests.unit.outsiders import fresh_name, imports_undone, written
from tests.unit.pipelines.wikimedia import storing
from tests.unit.streaming import functions
from tests.unit.streaming.beside import FUNCTIONS, NOW, await_ready, begun, of, rows_of

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there the thread does everything")
LARGE = rows_of(ROWS_MIN)
STOP = threading.Event()


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(functions.OWN_VARIABLE, str(os.getpid()))


def processes(made: pa.Table) -> set[int]:
    return set(made["process"].to_pylist())


@pytest.mark.parametrize("memfd", [True, False])
def test_events_of_wikimedia(memfd: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows in the same order, the same rejected ones, whether the memory has `memfd` or not."""
    if not memfd:
        monkeypatch.delattr(os, "memfd_create")
    events = storing.rows_of(storing.stream(Options(count=6_000, bad=0.1)))
    with closing(begun("qanat.pipelines.wikimedia.clean:clean", events)) as transform:
        for rows in (events.slice(0, 3_000), events, events.slice(2_500)):
            monkeypatch.setattr(transform, "function", unchanged)  # so we see who does it
            made, expected = transform(rows, NOW), clean(rows, NOW)
            assert expected.rows.equals(made.rows, check_metadata=True)
            assert expected.rejected is not None
            assert made.rejected is not None
            assert expected.rejected.equals(made.rejected, check_metadata=True)


def test_kinds_of_columns() -> None:
    """Types, absent values, names that come twice, chunks and slices come as they went."""
    count = 3 * ROWS_MIN
    numbers = pa.chunked_array([range(count // 2), range(count - count // 2)])
    given = pa.Table.from_arrays(
        [
            numbers,
            pa.array([None if number % 3 else f"ä{number}" for number in range(count)]),
            pa.array(["a", "b", None] * ROWS_MIN).dictionary_encode(),
            pa.array([Decimal(-(10**37) + number) for number in range(count)]),
            pa.array([[b"\0", None], None, []] * ROWS_MIN),
            pa.nulls(count),
            pa.array([NOW] * count, pa.timestamp("us", "UTC")),
        ],
        ["number", "text", "word", "large", "many", "none", "none"],
    ).replace_schema_metadata({"made": "here"})
    with closing(begun(f"{FUNCTIONS}:same")) as transform:
        transform.function = unchanged
        for rows in (given, given.slice(7, 2 * ROWS_MIN)):
            made = transform(rows, NOW)
            assert rows.equals(made.rows, check_metadata=True)
            assert made.rejected is not None
            assert rows.slice(0, 3).equals(made.rejected, check_metadata=True)


def test_the_batch_is_seen_as_one() -> None:
    """All of its rows at once, with the time at which it is judged, in one process that isn't ours."""
    with closing(begun(f"{FUNCTIONS}:place")) as transform:
        made = transform(LARGE, NOW).rows
        assert {transform.pid} == processes(made)
        assert {ROWS_MIN} == set(made["rows"].to_pylist())
        assert {NOW} == set(made["at"].to_pylist())


def test_small_batches_start_none() -> None:
    """The thread does them; and large ones too, until the process is ready."""
    with closing(of(f"{FUNCTIONS}:place")) as transform:
        assert {os.getpid()} == processes(transform(LARGE.slice(1), NOW).rows)
        assert transform.pid is None
        assert {os.getpid()} == processes(transform(LARGE, NOW).rows)
        await_ready(transform)
        assert {os.getpid()} == processes(transform(LARGE.slice(1), NOW).rows)
        assert {transform.pid} == processes(transform(LARGE, NOW).rows)


def test_results_stay() -> None:
    """The next batch, larger or smaller, leaves what was made of the one before."""
    with closing(begun(f"{FUNCTIONS}:same")) as transform:
        batches = [rows_of(ROWS_MIN + number * 997 % 5_000) for number in range(12)]
        made = [transform(rows, NOW) for rows in batches]
        for rows, each in zip(batches, made, strict=True):
            assert rows.equals(each.rows)
            assert rows.slice(0, 3).equals(each.rejected)


def test_empty_results() -> None:
    """No rows, and a table of none that were rejected: not the same as no table."""
    with closing(begun(f"{FUNCTIONS}:nothing")) as transform:
        transform.function = unchanged
        made = transform(LARGE, NOW)
        assert LARGE.schema.empty_table().equals(made.rows)
        assert made.rejected is not None
        assert 0 == made.rejected.num_rows


def test_what_it_raises() -> None:
    """Is raised here, as it would be without a process; that goes on."""
    with closing(begun(f"{FUNCTIONS}:raises")) as transform:
        before = transform.pid
        for _ in range(2):
            with pytest.raises(ValueError, match=f"{ROWS_MIN} rows") as error:
                transform(LARGE, NOW)
            assert "functions.py" in str(error.traceback[-1].path)
        assert before == transform.pid


@pytest.mark.parametrize("name", ["raises_beside", "keeps"])
def test_what_works_here_alone(name: str) -> None:
    """A function that fails there and not here, or that keeps memory which isn't its own, stays here."""
    with closing(begun(f"{FUNCTIONS}:{name}")) as transform:
        assert {os.getpid()} == processes(transform(LARGE, NOW).rows)
        assert transform.pid is None
        assert {os.getpid()} == processes(transform(LARGE, NOW).rows)
        assert transform.pid is None


def test_signals_are_for_the_run() -> None:
    """Ctrl-C goes to all processes of a terminal, a stop to all of a service: it stays until the run hangs up."""
    with closing(begun(f"{FUNCTIONS}:place")) as transform:
        assert transform.pid is not None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(transform.pid, number)
        assert {transform.pid} == processes(transform(LARGE, NOW).rows)


def test_faults_are_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `prove` injects into a run isn't injected into its helper."""
    monkeypatch.setenv("QANAT_FAILPOINTS", "no.such.point=kill")  # it would end at its first import
    with closing(begun(f"{FUNCTIONS}:place")) as transform:
        assert {transform.pid} == processes(transform(LARGE, NOW).rows)


def test_nothing_is_left() -> None:
    """Closed, twice, it leaves no process and no descriptor."""
    gc.collect()
    before = len(list(Path("/dev/fd").iterdir()))
    transform = begun(f"{FUNCTIONS}:place")
    transform(LARGE, NOW)
    process = transform._process
    assert process is not None
    transform.close()
    transform.close()
    assert 0 == process._process.returncode
    assert before == len(list(Path("/dev/fd").iterdir()))


def test_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long after the last large batch it ends; the next one starts another."""
    with closing(begun(f"{FUNCTIONS}:place")) as transform:
        before = transform.pid
        monkeypatch.setattr(under_test, "IDLE_S_MAX", 0.0)
        transform(LARGE.slice(1), NOW)
        assert transform.pid is None
        transform(LARGE, NOW)
        assert transform.pid not in {None, before}


@pytest.fixture
def of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The stage with a transform of a pipeline in a file, in a folder that isn't the current one."""
    monkeypatch.chdir(tmp_path)
    with imports_undone():
        path = written(tmp_path / "project", fresh_name())
        pipeline = pipeline_named(str(path))
        yield next(stage for stage in pipeline.stages if stage.transform)


def test_a_pipeline_in_a_file(of_a_file: Stage) -> None:
    """Its function is found beside the run as well."""
    with transforming(of_a_file, Transforms.PROCESS, STOP) as transform:
        assert isinstance(transform, Transforming)
        empty = {"id": "", "event": "message", "data": b"{", "received_at": NOW}
        rows = pa.Table.from_pylist([empty] * ROWS_MIN)
        expected = transform(rows, NOW)
        await_ready(transform)
        transform.function = unchanged
        made = transform(rows, NOW)
        assert expected.rows.equals(made.rows)
        assert expected.rejected is not None
        assert expected.rejected.equals(made.rejected)


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_code_that_is_another_now(of_a_file: Stage, change: str) -> None:
    """A file that was edited or deleted since the run began isn't what the run has: the thread goes on with that."""
    with transforming(of_a_file, Transforms.PROCESS, STOP) as transform:
        assert isinstance(transform, Transforming)
        path = Path("project", transform.reference.partition(":")[0] + ".py")
        time.sleep(0.02)  # the system's file times go in steps of some milliseconds
        if change == "gone":
            path.unlink()
        else:
            path.write_text(path.read_text() + "\n")
        rows = pa.table({"data": [b"{"] * ROWS_MIN, "received_at": [NOW] * ROWS_MIN})
        rows = rows.append_column("id", [[""] * ROWS_MIN]).append_column("event", [[""] * ROWS_MIN])
        transform(rows, NOW)
        while transform.pid is not None:
            made = transform(rows, NOW)
        assert transform._given_up
        assert transform(rows, NOW).rows.equals(made.rows)


def test_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """On request, with one core, and without a function."""
    declared = Input("topic", "received", Order.ORDERED)
    stage = Stage("count", declared, transform=f"{FUNCTIONS}:place")
    with transforming(stage, Transforms.THREAD, STOP) as transform:
        assert functions.place is transform
    with transforming(Stage("count", declared), Transforms.PROCESS, STOP) as transform:
        assert unchanged is transform
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with transforming(stage, Transforms.PROCESS, STOP) as transform:
        assert functions.place is transform
