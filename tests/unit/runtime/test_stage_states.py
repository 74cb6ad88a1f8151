"""Why a stage doesn't move, and how fast it does."""

from datetime import timedelta

from qanat.runtime.stage_states import SLOW_COMMIT_S, StageMeter, state_rows, total_lag
from qanat.testing import FakeClock


def test_a_stage_at_work_has_no_reason() -> None:
    clock = FakeClock()
    meter = StageMeter("store", clock)
    assert meter.stall() is None
    meter.committing()
    meter.committed(10)
    assert (10, None) == (meter.records, meter.stall())
    assert clock.now() == meter.last_commit_at


def test_reasons_and_since_when() -> None:
    """Each reason is told from when it began, and is over when the stage moves."""
    clock = FakeClock()
    told = ""
    meter = StageMeter("ingest", clock, silent_after_s=60.0, condition=lambda: told)
    start = clock.now()
    clock.sleep(61.0)
    assert (start, "the source is silent") == meter.stall()
    told = "the source can't be reached: refused"
    assert (start, told) == meter.stall()
    told = ""
    meter.committed(1)
    assert meter.stall() is None

    meter.committing()
    clock.sleep(SLOW_COMMIT_S + 1.0)
    since, reason = meter.stall() or (None, "")
    assert clock.now() == since
    assert "the store is slow" in reason
    meter.failed("the disk is full")
    clock.sleep(5.0)
    assert (since, "the disk is full") == meter.stall()
    meter.committed(1)
    meter.waits_for_claim("waiting for a claim")
    assert "waiting for a claim" == (meter.stall() or (None, ""))[1]
    meter.waits_for_claim(None)
    meter.held("waiting for store")
    assert "waiting for store" == (meter.stall() or (None, ""))[1]


def test_a_topic_may_be_silent_for_ever() -> None:
    clock = FakeClock()
    meter = StageMeter("clean", clock)
    clock.sleep(1_000_000.0)
    assert meter.stall() is None


def test_rate_is_that_of_the_last_seconds() -> None:
    clock = FakeClock()
    meter = StageMeter("store", clock)
    rates = []
    for count in (0, 100, 100, 100, 100, 100, 100, 0, 0, 0, 0, 0, 0):
        meter.committed(count)
        rates.append(meter.rate())
        clock.sleep(1.0)
    assert [0.0, 100.0, 100.0] == rates[:3]
    assert 0.0 == rates[-1]


def test_rows() -> None:
    """One row a stage, with what a reader needs."""
    clock = FakeClock()
    meters = [StageMeter("ingest", clock, silent_after_s=1.0), StageMeter("store", clock)]
    meters[1].lag = 7
    clock.sleep(2.0)
    first, second = state_rows(meters, "host:1", clock.now())
    assert ("ingest", "the source is silent") == (first["stage"], first["stall_reason"])
    assert clock.now() - timedelta(seconds=2) == first["stalled_since"]
    assert ("store", "host:1", 7, None) == (
        second["stage"],
        second["instance"],
        second["lag"],
        second["stall_reason"],
    )


def test_lag_of_partitions() -> None:
    """A sum, unless one is unknown."""
    assert 5 == total_lag({"0": 2, "1": 3})
    assert total_lag({"0": 2, "1": None}) is None
    assert 0 == total_lag({})
