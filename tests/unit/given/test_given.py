"""Given events and a clock: tables, dead letters, reports and look-ups are those of a real run."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from qanat.errors import ConfigError, Fatal
from qanat.given import AnyEvent, Event, given
from qanat.pipeline import Deduplicate, Pipeline, Stage
from qanat.pipelines.metering import PIPELINE as METERING
from qanat.pipelines.wikimedia import PIPELINE as WIKIMEDIA
from qanat.records import Transformed
from qanat.testing import FakeClock
from tests.unit.given.shop import forget, shop

NOON = datetime(2026, 3, 17, 12, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def files() -> Iterator[None]:
    yield
    forget()


def order(number: int, product: str = "tea", **others: object) -> dict[str, object]:
    at = (NOON - timedelta(minutes=number)).isoformat()
    return {"id": str(number), "at": at, "product": product, "pieces": 1, "cents": 450, **others}


ORDERS = [order(number, ("tea", "bread")[number % 2]) for number in range(5)]


def test_tables_are_what_was_counted() -> None:
    """By name, rows in the order of their keys, values as Python's own."""
    tables = given(shop()).events(ORDERS).at(NOON).tables()
    assert set(tables) == {"orders", "products", "dead_letters"}
    assert tables["products"] == [
        {"product": "bread", "orders": 2, "pieces": 2, "cents": 900},
        {"product": "tea", "orders": 3, "pieces": 3, "cents": 1350},
    ]
    assert [row["order_id"] for row in tables["orders"]] == ["4", "3", "2", "1", "0"]
    assert tables["orders"][0]["received_at"] == NOON


def test_an_event_is_given_as_one_likes() -> None:
    """A mapping, its text, its bytes, or complete; with a time of receipt for all, or of its own."""
    early = NOON - timedelta(hours=1)
    text = '{"id":"9","at":"2026-03-17T10:00:00Z","product":"é","pieces":1,"cents":1}'
    case = (
        given(shop())
        .events([order(1)])
        .events([text, Event(text.replace('"9"', '"8"').encode(), id="x", received_at=NOON)],
                received_at=early)
        .at(FakeClock(NOON))
    )  # fmt: skip
    received = {row["order_id"]: row["received_at"] for row in case.tables()["orders"]}
    assert received == {"1": NOON, "9": early, "8": NOON}


def test_nothing_gives_empty_tables() -> None:
    """All of them, so that a test can compare the whole."""
    assert given(shop()).tables() == {"orders": [], "products": [], "dead_letters": []}


def test_rejected_and_late_records_are_letters() -> None:
    """With stage, reason and bytes, in the order of the events; the others count."""
    tight = _changed(shop(), horizon_s=3600.0)
    events: list[AnyEvent] = [b"\xff", order(1), {**order(2), "at": "2026-03-17T09:00:00Z"}, b"{}"]
    letters = given(tight).events(events).at(NOON).letters()
    assert {(each["stage"], each["reason"]) for each in letters} >= {("count", "too_late")}
    raws = [each["raw"] for each in letters if each["reason"] != "too_late"]
    assert raws == [b"\xff", b"{}"]
    assert len(given(tight).events(events).at(NOON).tables()["orders"]) == 1


def test_reports_and_lookups_with_parameters() -> None:
    """As values or as a user writes them; what isn't a parameter is refused."""
    case = given(shop()).events(ORDERS).at(NOON)
    with case.ran() as outcome:
        best = outcome.report("best_sellers", least=3)
        assert [row["product"] for row in best] == ["tea"]
        assert outcome.report("best_sellers", least="3") == best
        assert [row["order_id"] for row in outcome.lookup("orders_of", product="bread")] == [
            "1",
            "3",
        ]
        with pytest.raises(ConfigError, match="most"):
            outcome.report("best_sellers", most=3)
        with pytest.raises(ConfigError, match="one of best_sellers"):
            outcome.report("worst")


def test_each_addition_is_another_case() -> None:
    """What is given to one isn't given to the one that it was made of."""
    empty = given(shop()).at(NOON)
    full = empty.events(ORDERS)
    assert (len(empty.tables()["orders"]), len(full.tables()["orders"])) == (0, len(ORDERS))


def test_kept_runs_are_made_once() -> None:
    """A fixture's questions are asked of one run; another size of batches is another run."""
    with ExitStack() as kept:
        case = given(shop(), kept).events(ORDERS).at(NOON)
        with case.ran() as first, case.ran() as second:
            assert first is second
        with case.in_batches_of(2).ran() as other:
            assert other is not first
            assert other.tables() == first.tables()


def test_batches_and_repeats_dont_matter() -> None:
    """For a pipeline that is right, dead letters included; the tables are returned."""
    case = given(shop()).events([*ORDERS, b"nonsense", b"nonsense"]).at(NOON)
    assert case.check_batches() == case.tables()
    assert case.check_repeats()["products"] == case.tables()["products"]


def test_batches_that_matter_are_found() -> None:
    """A transform that looks at its batch as a whole is told, with the rows that differ."""
    case = given(_changed(shop(), transform=f"{__name__}:first_alone")).events(ORDERS).at(NOON)
    with pytest.raises(
        AssertionError, match=r"(?s)orders differs.*only in batches of 1: .*'order_id': '3'"
    ):
        case.check_batches()


def test_repeats_that_matter_are_found() -> None:
    """A transform that gives a record another id each time has it counted again."""
    case = given(_changed(shop(), transform=f"{__name__}:numbered")).events(ORDERS).at(NOON)
    with pytest.raises(AssertionError, match="only with events given again"):
        case.check_repeats()


def test_what_a_transform_raises_is_the_tests() -> None:
    """Nothing is swallowed."""
    broken = _changed(shop(), transform=f"{__name__}:raises")
    with pytest.raises(Fatal, match="no such luck"):
        given(broken).events(ORDERS).tables()


def test_what_isnt_of_streams_is_refused() -> None:
    """Files come otherwise."""
    with pytest.raises(ConfigError, match="one of streams"):
        given(METERING)
    with pytest.raises(ConfigError, match="in_batches_of is 0"):
        given(shop()).in_batches_of(0)


def test_by_name() -> None:
    """As the command names it; those that ship as well."""
    assert given("wikimedia").pipeline == WIKIMEDIA
    assert given(WIKIMEDIA).events([b"{}"]).letters()[0]["stage"] == "clean"


def first_alone(rows: pa.Table, judged_at: datetime) -> Transformed:
    """A transform that is wrong: the first row of each batch."""
    made = _read(rows, judged_at)
    return Transformed(made.rows.slice(0, 1), made.rejected)


SEEN: list[int] = []


def numbered(rows: pa.Table, judged_at: datetime) -> Transformed:
    """A transform that is wrong: it gives each record another id every time."""
    made = _read(rows, judged_at).rows
    SEEN.extend(range(made.num_rows))
    ids = [str(len(SEEN) + number) for number in range(made.num_rows)]
    place = made.column_names.index("order_id")
    return Transformed(made.set_column(place, "order_id", pa.array(ids)))


def raises(rows: pa.Table, judged_at: datetime) -> Transformed:
    raise Fatal("no such luck")


def _read(rows: pa.Table, judged_at: datetime) -> Transformed:
    from qanat.wiring import load

    read = load(_last(shop()).transform)
    assert callable(read)
    made = read(rows, judged_at)
    assert isinstance(made, Transformed)
    return made


def _last(pipeline: Pipeline) -> Stage:
    return pipeline.stages[-1]


def _changed(pipeline: Pipeline, *, transform: str = "", horizon_s: float = 0.0) -> Pipeline:
    """Change the last stage."""
    last = _last(pipeline)
    by: Deduplicate | None = last.deduplicate
    assert by is not None
    if horizon_s:
        by = replace(by, horizon_s=horizon_s)
    stages: Sequence[Stage] = pipeline.stages[:-1]
    changed = replace(last, transform=transform or last.transform, deduplicate=by)
    return replace(pipeline, stages=(*stages, changed))
