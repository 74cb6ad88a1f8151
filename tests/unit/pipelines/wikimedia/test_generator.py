"""Made-up streams look like Wikimedia's, and are what was asked for."""

import io
import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import zstandard

import _record_wikimedia as recording
from qanat.pipelines.wikimedia import PIPELINE
from qanat.pipelines.wikimedia.expected import judged
from qanat.pipelines.wikimedia.expected_answers import expected_reports
from qanat.pipelines.wikimedia.generate.words import words
from qanat.pipelines.wikimedia.generator import BEGINNING, Frame, Options, encoded, frames, write
from tests.unit.pipelines.wikimedia import storing

OPTIONS = Options(count=5_000, rate_per_s=1.0)
CLEAN = replace(OPTIONS, repeats=0, bad=0, canaries=0, shuffle_s=0)

# Of a real event (schema mediawiki/revision/create 2.0.0).
MEMBERS = words(
    "$schema meta database page_id page_title page_namespace rev_id rev_timestamp rev_sha1 rev_minor_edit rev_len"
    " rev_content_model rev_content_format performer page_is_redirect comment parsedcomment dt rev_slots"
)
META = words("uri request_id id domain stream dt topic partition offset")


@pytest.fixture(scope="module")
def made() -> list[Frame]:
    return list(frames(OPTIONS))


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return [json.loads(frame.data) for frame in frames(CLEAN)]


def test_equal_options_make_equal_bytes(made: list[Frame]) -> None:
    assert made == list(frames(OPTIONS))
    assert made[:100] != list(frames(replace(OPTIONS, count=100, seed=2)))[:100]


def test_shape(events: list[dict[str, Any]]) -> None:
    """Each event has a real one's members, in their order, and about its size."""
    for event in events:
        names = [name for name in event if name != "performer"]
        assert [name for name in MEMBERS if name != "performer"] == names
        assert META == tuple(event["meta"])
    sizes = [len(frame.data) for frame in frames(replace(CLEAN, count=500))]
    assert 1_200 < sum(sizes) / len(sizes) < 1_700


def test_mixture(events: list[dict[str, Any]]) -> None:
    """A long tail of domains, and everybody who creates pages."""
    domains = Counter(event["meta"]["domain"] for event in events)
    assert len(domains) > 150
    assert domains["commons.wikimedia.org"] > len(events) / 5
    performers = [event.get("performer") for event in events]
    assert None in performers
    known = [by for by in performers if by]
    assert 0.3 < sum(by["user_is_bot"] for by in known) / len(known) < 0.7
    assert any("user_id" not in by and not by["user_text"].startswith("~") for by in known)
    assert {True, False} == {"user_id" in by for by in known if by["user_text"].startswith("~")}
    assert len({event["page_namespace"] for event in events}) >= 6
    assert any(event["page_is_redirect"] for event in events)
    assert any(event["rev_timestamp"] < "2020" for event in events)
    times = [event["meta"]["dt"] for event in events]
    assert {20, 24} <= {len(text) for text in times}
    assert len(set(times)) < len(times)
    pages = Counter((event["database"], event["page_id"]) for event in events)
    assert 2 in pages.values()


def test_ids_are_unique(events: list[dict[str, Any]]) -> None:
    assert len(events) == len({event["meta"]["id"] for event in events}) == CLEAN.count


def test_rate(events: list[dict[str, Any]]) -> None:
    made = list(frames(CLEAN))
    assert abs((made[-1].at_ms - made[0].at_ms) / 1_000 - CLEAN.count) < CLEAN.count / 10


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("repeats", replace(CLEAN, repeats=0.1)),
        ("bad", replace(CLEAN, bad=0.1)),
        ("canaries", replace(CLEAN, canaries=0.1)),
    ],
)
def test_shares(name: str, options: Options) -> None:
    """What is wrong comes as often as was asked for."""
    made = list(frames(options))
    assert 0.08 < (len(made) - CLEAN.count) / CLEAN.count < 0.12
    told = judged([storing.received(frame) for frame in made])
    assert len(told.creations) == CLEAN.count
    assert len(told.rejected) == (len(made) - CLEAN.count if name == "bad" else 0)


def test_disorder(made: list[Frame]) -> None:
    """Positions never go back; events are overtaken, by ten seconds at most."""
    assert all(one.at_ms <= next_one.at_ms for one, next_one in pairwise(made))
    rows = judged([storing.received(frame) for frame in made]).creations
    times = [row.created_at for row in rows]
    assert times != sorted(times)
    late = [row.received_at - row.created_at for row in rows if row.created_at.microsecond]
    assert max(late) <= timedelta(seconds=10.1)


def test_wire(made: list[Frame], tmp_path: Path) -> None:
    """A file holds what the server sends: lines of the specification, ids in JSON; compressed or not."""
    text = BEGINNING + b"".join(map(encoded, made))
    assert (
        write(tmp_path / "plain.sse", made) == write(tmp_path / "packed.sse.zst", made) == len(made)
    )
    assert text == (tmp_path / "plain.sse").read_bytes()
    packed = (tmp_path / "packed.sse.zst").read_bytes()
    assert text == zstandard.ZstdDecompressor().stream_reader(io.BytesIO(packed)).read()
    kind, position, data, *rest = encoded(made[0]).decode().split("\n")
    assert (kind, rest) == ("event: message", ["", ""])
    first, second = json.loads(position.removeprefix("id: "))
    assert first == {
        "topic": "eqiad.mediawiki.page-create",
        "partition": 0,
        "timestamp": made[0].at_ms,
    }
    assert second == {"topic": "codfw.mediawiki.page-create", "partition": 0, "offset": -1}
    assert data.removeprefix("data: ").encode() == made[0].data


def test_recording() -> None:
    """It is what its script makes; it is small, ends after a full hour, and fills every report."""
    path = recording.FOLDER / PIPELINE.recording.partition(":")[2]
    assert path.stat().st_size < 1_500_000
    with path.open("rb") as file:
        text = zstandard.ZstdDecompressor().stream_reader(file).read()
    made = list(frames(recording.OPTIONS))
    assert BEGINNING + b"".join(map(encoded, made)) == text
    rows = judged([storing.received(frame) for frame in made]).creations
    end = recording.OPTIONS.start + timedelta(hours=8)
    assert timedelta(minutes=15) < rows[-1].created_at - end < timedelta(minutes=45)
    reports = expected_reports(rows, end)
    assert [6, 20] == [
        len({row["hour_start"] for row in reports["domains-by-hour"]}),
        len(reports["top-users"]),
    ]
    assert len(reports["bots-by-domain"]) > 10
