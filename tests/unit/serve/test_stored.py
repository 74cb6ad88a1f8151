"""Stored reports over HTTP: as they were made, with their age; overdue ones turn health red."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from qanat.interfaces import Store
from qanat.testing import FakeClock
from tests.unit.serve.sample import HOURLY, NOW, PAGES, make_hourly, page, write

NOON = NOW.replace(minute=0)
PATH = "/api/sample/reports/hourly"


@pytest.fixture
def made(sample: Store) -> Store:
    """A store in which the report of noon was made a minute later."""
    write(sample, PAGES, [page(40), page(50), page(60, "en")])
    make_hourly(sample, NOON, NOON + timedelta(minutes=1))
    return sample


def test_told_with_its_age(asked: TestClient, made: Store) -> None:
    """The rows are those that were stored, whatever came since; the answer says what they cover and how old they are."""
    write(made, PAGES, [page(41)])
    told = asked.get(PATH).json()
    assert [
        {"wiki": "de", "pages": 2, "ids": "90", "newest_at": "2026-11-22T11:50:00Z"},
        {"wiki": "en", "pages": 1, "ids": "60", "newest_at": "2026-11-22T11:30:00Z"},
    ] == told.pop("rows")
    assert {
        "window_start": "2026-11-22T06:00:00Z",
        "window_end": "2026-11-22T12:00:00Z",
        "made_at": "2026-11-22T12:01:00Z",
        "age_s": 29 * 60.0,
        "stale": False,
    } == told


def test_made_anew(asked: TestClient, made: Store, sample_clock: FakeClock) -> None:
    """A late event has the report made anew: the client that has the old one gets the new one."""
    before = asked.get(PATH)
    same = asked.get(PATH, headers={"If-None-Match": before.headers["etag"]})
    assert (304, b"") == (same.status_code, same.content)
    write(made, PAGES, [page(41)])
    make_hourly(made, NOON, NOW)
    sample_clock.advance(1)
    after = asked.get(PATH, headers={"If-None-Match": before.headers["etag"]})
    assert (200, 3) == (after.status_code, after.json()["rows"][0]["pages"])
    assert 1 == after.json()["age_s"]


def test_kept_for_a_moment(asked: TestClient, sample: Store, sample_clock: FakeClock) -> None:
    """Answered again from memory it is the same, plain and compressed; a second later it is what is stored then."""
    write(sample, PAGES, [page(40, f"wiki number {number}") for number in range(300)])
    make_hourly(sample, NOON, NOW)
    told = [asked.get(PATH, headers={"Accept-Encoding": each}) for each in ("gzip", "", "gzip")]
    assert ["gzip", None, "gzip"] == [each.headers.get("content-encoding") for each in told]
    assert [300] * 3 == [len(each.json()["rows"]) for each in told]
    assert 1 == len({each.headers["etag"] for each in told})
    write(sample, PAGES, [page(40, "another")])
    make_hourly(sample, NOON, NOW)
    sample_clock.advance(1)
    assert 301 == len(asked.get(PATH).json()["rows"])


def test_holds_until_the_next(asked: TestClient, made: Store, sample_clock: FakeClock) -> None:
    """Nobody keeps an answer beyond the next report, nor for longer than a late event may take to be seen."""
    assert "max-age=60" == asked.get(PATH).headers["cache-control"]
    sample_clock.advance(29 * 60 + 50)
    assert "max-age=10" == asked.get(PATH).headers["cache-control"]
    sample_clock.advance(20)
    assert "no-cache" == asked.get(PATH).headers["cache-control"]


def test_overdue_is_red(asked: TestClient, made: Store, sample_clock: FakeClock) -> None:
    """Half an hour is fine, the next one's time is, but not much later: then the answer says so, and health is red."""
    etag = asked.get(PATH).headers["etag"]
    assert (200, "ok") == health(asked)
    sample_clock.advance(33 * 60)  # 13:03, it may take a while to be made
    assert (200, "ok") == health(asked)
    sample_clock.advance(5 * 60)
    assert (503, "stale") == health(asked)
    told = asked.get(PATH, headers={"If-None-Match": etag})
    assert (200, True) == (told.status_code, told.json()["stale"])
    (report,) = asked.get("/api/sample/health").json()["reports"]
    assert ("hourly", True, 67 * 60.0) == (report["name"], report["stale"], report["age_s"])
    text = asked.get("/metrics").text
    assert 'qanat_report_stale{pipeline="sample",report="hourly"} 1.0' in text
    assert 200 == asked.get("/health?alarms=false").status_code
    make_hourly(made, NOON + timedelta(hours=1), sample_clock.now())
    assert (200, "ok") == health(asked)


def test_never_made(asked: TestClient, sample: Store, sample_clock: FakeClock) -> None:
    """Before the first was made the report is computed for the window before now, and nothing is overdue."""
    write(sample, PAGES, [page(40), page(20)])
    told = asked.get(PATH).json()
    assert (["de"], False, 0) == ([r["wiki"] for r in told["rows"]], told["stale"], told["age_s"])
    assert ("2026-11-22T12:00:00Z", 1) == (told["window_end"], told["rows"][0]["pages"])
    sample_clock.advance(3 * 3600)
    assert (200, "ok") == health(asked)


def test_another_window(asked: TestClient, made: Store) -> None:
    """Another window is computed; a stored one's rows are told as they were stored, and one of the future is refused."""
    write(made, PAGES, [page(41), page(100, "fr")])
    told = asked.get(f"{PATH}?end=2026-11-22T11:00:00Z").json()
    assert ["fr"] == [row["wiki"] for row in told["rows"]]
    assert ("2026-11-22T05:00:00Z", 0) == (told["window_start"], told["age_s"])
    told = asked.get(f"{PATH}?end=2026-11-22T12:20:00Z").json()
    assert (2, 29 * 60.0) == (told["rows"][0]["pages"], told["age_s"])
    assert 400 == asked.get(f"{PATH}?end=2026-11-22T13:00:00Z").status_code


def test_drawn_as_stored(asked: TestClient, made: Store) -> None:
    """The drawing is of the stored rows too."""
    write(made, PAGES, [page(41)])
    drawn = asked.get(f"{PATH}/chart").json()
    assert [2, 1] == [row["pages"] for row in drawn["data"]["values"]]


def test_described(asked: TestClient) -> None:
    """A report with a window can be asked for another one, and the list says how often it is made."""
    described = asked.get("/openapi.json").json()["paths"]
    assert ["end"] == [each["name"] for each in described[PATH]["get"]["parameters"]]
    plain, hourly = asked.get("/api/sample/reports").json()["reports"]
    assert (0, 0) == (plain["window_s"], plain["every_s"])
    assert (HOURLY.window_s, HOURLY.every_s) == (hourly["window_s"], hourly["every_s"])


def health(client: TestClient) -> tuple[int, str]:
    answer = client.get("/health")
    return answer.status_code, answer.json()["status"]
