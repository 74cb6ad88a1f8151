"""Wherever reading a stream is broken off, it goes on without a loss, or says that history is lost."""

import pytest

from qanat.errors import SourceLost
from qanat.sources.sse_options import PREFETCH_BYTES_MAX
from qanat.testing.sse_events import SILENT_TOPIC, SseEvent, shuffled, with_canaries
from qanat.testing.sse_faults import Cut, End
from qanat.testing.sse_server import Manners, SseServer
from tests.unit.sources.sse_kit import (
    START_MS,
    batches,
    events,
    fields_of,
    new_ones,
    numbers,
    read_to,
    reading,
    until,
)


def test_siblings_of_a_millisecond() -> None:
    """Two events share a time, and the first is where reading ended: both come."""
    history = [SseEvent(b'{"number":%d}' % n, START_MS + n // 2) for n in range(6)]
    with SseServer(history) as server:
        with reading(server) as source:
            position = next(batches(source, rows_max=3)).ends["0"]
        with reading(server, position) as source:
            assert [2, 3, 4, 5] == read_to(source, 5)[0]


def test_since_is_for_the_first_start() -> None:
    """The first request asks for a time; one with a position doesn't."""
    with SseServer(events(10)) as server:
        with reading(server, since="2025-09-06T03:28:58Z") as source:
            found, position = read_to(source, 9)
        assert [5, 6, 7, 8, 9] == found
        with reading(server, position, since="2025-09-06T03:28:58Z") as source:
            assert [9] == read_to(source, 9)[0]
        assert ["/v2/stream/page-create?since=1757129338000", "/v2/stream/page-create"] == [
            visit.target for visit in server.visits
        ]


def test_reconnects_go_on_from_what_was_received() -> None:
    """`since` isn't sent again, nor what was polled waited for: connections that end are just continued."""
    with (
        SseServer(events(100), Manners(end_after_events=7)) as server,
        reading(server, since="0") as source,
    ):
        until(lambda: server.connections > 3)
        assert list(range(100)) == new_ones(read_to(source, 99)[0])
        assert all("since" not in visit.target for visit in server.visits[1:])


def test_a_silent_topic_that_speaks_while_nobody_reads() -> None:
    """The other data centre takes over during an outage: its events aren't skipped, although its place was "the end"."""
    with SseServer(events(5)) as server:
        with reading(server) as source:
            _, position = read_to(source, 4)
        assert '"offset":-1' in position
        taken_over = [
            SseEvent(b'{"number":%d}' % n, START_MS + n * 1000, SILENT_TOPIC) for n in range(5, 9)
        ]
        server.history.add(*taken_over)
        with reading(server, position) as source:
            assert [4, 5, 6, 7, 8] == read_to(source, 8)[0]


def test_two_topics() -> None:
    """Each topic goes on from its own time, and an event of one doesn't stand for the other."""
    topics = ["eqiad.mediawiki.page-create", SILENT_TOPIC]
    history = [
        SseEvent(b'{"number":%d}' % n, START_MS + n * 10_000, topics[n % 3 == 0]) for n in range(30)
    ]
    with SseServer(history) as server:
        for stop in range(2, 29):
            with reading(server) as source:
                position = next(batches(source, rows_max=stop)).ends["0"]
            with reading(server, position) as source:
                assert set(range(stop - 1, 30)) <= set(read_to(source, 29)[0])


@pytest.mark.parametrize("seed", range(3))
def test_out_of_order(seed: int) -> None:
    """Times that are out of order within seconds raise no alarm and lose nothing, wherever reading ended."""
    history = shuffled(events(40), 10_000, seed)
    order = [int(event.data[10:-1]) for event in history]
    with SseServer(history) as server:
        for stop in range(1, 40):
            with reading(server) as source:
                batch = next(batches(source, rows_max=stop))
            with reading(server, batch.ends["0"]) as source:
                found = read_to(source, order[-1])[0]
            assert set(order[len(numbers(batch)) - 1 :]) <= set(found)


def test_lost_history() -> None:
    """The server has forgotten what follows: nothing of the later events is given, and the way out is named."""
    with SseServer(events(20, step_ms=100_000)) as server:
        with reading(server) as source:
            position = next(batches(source, rows_max=3)).ends["0"]
        server.history.forget(10)
        with reading(server, position) as source:
            with pytest.raises(SourceLost, match="page-create") as lost:
                source.poll(100, 30.0)
            assert "--accept-gap" in lost.value.hint
            assert "doesn't reach back" in source.condition().problem
            with pytest.raises(SourceLost):
                source.poll(100, 0.0)


def test_accepted_gap(caplog: pytest.LogCaptureFixture) -> None:
    """If it is allowed, reading goes on, and what is missing is logged."""
    caplog.set_level("INFO", logger="qanat")
    with SseServer(events(20, step_ms=100_000)) as server:
        with reading(server) as source:
            position = next(batches(source, rows_max=3)).ends["0"]
        server.history.forget(10)
        with reading(server, position, accept_gap=True) as source:
            assert list(range(10, 20)) == read_to(source, 19)[0]
    (gap,) = [record for record in caplog.records if record.getMessage() == "source.gap"]
    fields = fields_of(gap)
    assert ("2025-09-06T03:32:13.001+00:00", "2025-09-06T03:45:33.001+00:00") == (
        fields["start"],
        fields["end"],
    )


@pytest.mark.parametrize("accept_gap", [False, True])
def test_doubtful_history(accept_gap: bool) -> None:
    """Nothing but slightly later events comes, time and again: then it is lost as well."""
    with SseServer(events(20), Manners(end_at_last=True)) as server:
        with reading(server) as source:
            position = next(batches(source, rows_max=3)).ends["0"]
        server.history.forget(10)
        with reading(server, position, accept_gap=accept_gap) as source:
            if accept_gap:
                assert list(range(10, 20)) == new_ones(read_to(source, 19)[0])
            else:
                with pytest.raises(SourceLost):
                    source.poll(100, 30.0)


def test_doubt_that_a_cut_leaves() -> None:
    """The connection breaks before the event at the position comes, after a later one: it is asked for again."""
    numbers_in_order = [0, 2, 1, 3, 4]
    history = [SseEvent(b'{"number":%d}' % n, START_MS + n) for n in numbers_in_order]
    with SseServer(history) as server:
        with reading(server) as source:
            position = next(batches(source, rows_max=3)).ends["0"]
        server.faults.then(Cut(1), End(1))
        with reading(server, position) as source:
            assert [2, 1, 3, 4] == new_ones(read_to(source, 4)[0])


def test_opaque_ids() -> None:
    """Other servers' ids go back as they are, UTF-8 included."""
    history = [SseEvent(b'{"number":%d}' % n, id=f"nº {n}".encode()) for n in range(9)]
    with SseServer(history) as server:
        with reading(server) as source:
            position = next(batches(source, rows_max=4)).ends["0"]
        assert "nº 3" == position
        with reading(server, position) as source:
            assert [3, 4, 5, 6, 7, 8] == read_to(source, 8)[0]


def test_canaries_move_the_position() -> None:
    """They are rows like others, so that a transform drops them and the position advances."""
    history = list(with_canaries(events(3), 2))
    with SseServer(history) as server, reading(server) as source:
        assert [0, 1, 2] == read_to(source, 2)[0]
    assert 2 == sum(b'"domain":"canary"' in event.data for event in history)


def test_streams_joined_by_commas() -> None:
    """Several streams are one connection."""
    with (
        SseServer(events(2), Manners(streams=("page-create", "page-delete"))) as server,
        reading(server) as source,
    ):
        assert [0, 1] == read_to(source, 1)[0]
        assert "/v2/stream/page-create,page-delete" == server.visits[0].target
        assert 1 == server.connections


def test_back_pressure() -> None:
    """What isn't polled isn't read: memory is bounded, and nothing is lost."""
    limit = 1 << 20
    assert limit < PREFETCH_BYTES_MAX
    with (
        SseServer(events(20_000, size=1400)) as server,
        reading(server, prefetch_bytes_max=limit) as source,
    ):
        until(lambda: source._prefetch._bytes >= limit)
        found: list[int] = []
        for batch in batches(source, rows_max=777):
            found += numbers(batch)
            assert source._prefetch._bytes < limit + (2 << 20)
            assert batch.rows.num_rows <= 777
            if found[-1] == 19_999:
                break
        assert list(range(20_000)) == found
