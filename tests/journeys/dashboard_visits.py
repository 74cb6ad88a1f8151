"""A pipeline that the dashboard has never heard of, on a real store: all that its page shows comes from the declaration."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from qanat.clock import Clock, SystemClock
from qanat.interfaces import Store
from qanat.pipeline import (
    Chart,
    Deduplicate,
    Input,
    Lookup,
    Order,
    Parameter,
    Pipeline,
    Report,
    Shape,
    Stage,
    Write,
)
from qanat.runtime.made_reports import MADE_REPORTS
from qanat.runtime.stage_states import STAGE_STATES
from qanat.session import Session, open_session, owning
from qanat.settings import CommonSettings
from qanat.tables import (
    Add,
    Append,
    Column,
    ColumnType,
    InsertNew,
    Table,
    Topic,
    Upsert,
    WriteMode,
    arrow_schema,
)

# What a stranger could put into the data to have it run in the browser.
HOSTILE = '<img src=x onerror="window.ran=1"><script>window.ran=1</script>'
# More digits than a number of JavaScript's holds.
HUGE = 2**63 - 1

VISITS = Table(
    "visits",
    (
        Column("seen_at", ColumnType.TIMESTAMP),
        Column("id", ColumnType.INT64),
        Column("site", ColumnType.TEXT),
        Column("path", ColumnType.TEXT, nullable=True),
    ),
    key=("seen_at", "id"),
    about="one row per visit",
)
SITES = Table(
    "sites",
    (Column("site", ColumnType.TEXT), Column("visits", ColumnType.INT64)),
    key=("site",),
    about="one row per site",
)
TOPIC = Topic("input", (Column("data", ColumnType.BYTES),), about="as received")
_SITE = Parameter("site", ColumnType.TEXT, "Only visits of this one.")

PIPELINE = Pipeline(
    name="visits",
    title="Visits of sites",
    stages=(
        Stage(
            "ingest",
            Input("sse", "http://localhost/events", Order.ORDERED, repeats=True),
            publishes=(TOPIC,),
        ),
        Stage(
            "store",
            Input("topic", "input", Order.ORDERED),
            writes=(Write(SITES, Add(key=SITES.key, sums=("visits",))),),
            deduplicate=Deduplicate(VISITS, ("seen_at", "id"), "seen_at", "seen_at", 3600.0),
        ),
    ),
    topics=(TOPIC,),
    tables=(VISITS, SITES, STAGE_STATES, MADE_REPORTS),
    reports=(
        Report(
            name="sites",
            title="Visits per site",
            about="One row per site.",
            sql=(
                "select site, count(*) as visits from visits"
                " group by site order by visits desc, site limit $limit"
            ),
            columns=(Column("site", ColumnType.TEXT), Column("visits", ColumnType.INT64)),
            charts=(Chart(Shape.RANKED, ("visits",), "visits", label="site"),),
            parameters=(
                Parameter("limit", ColumnType.INT64, "How many.", "100", smallest=1, largest=100),
            ),
        ),
        Report(
            name="hourly",
            title="Visits, counted each hour",
            sql=(
                "select count(*) as visits from visits"
                " where seen_at >= $window_start and seen_at < $window_end"
            ),
            columns=(Column("visits", ColumnType.INT64),),
            window_s=6 * 3600.0,
            every_s=3600.0,
        ),
    ),
    lookups=(
        Lookup(
            name="visits",
            title="Visits of a site",
            about="One row per visit.",
            sql="select id, path from visits where site = $site order by seen_at, id",
            columns=(
                Column("id", ColumnType.INT64),
                Column("path", ColumnType.TEXT, nullable=True),
            ),
            parameters=(_SITE,),
        ),
    ),
)


class Visits:
    """The store while it is held, and what a run would write into it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def tell(
        self, records: int, *, rate: float = 50.0, lag: int = 3, stall: str | None = None
    ) -> None:
        """Say how the stage `store` is doing."""
        now = self._clock.now()
        row = {
            "stage": "store", "instance": "here:1", "records": records, "rate": rate, "lag": lag,
            "last_commit_at": now, "stalled_since": now if stall else None, "stall_reason": stall,
            "updated_at": now,
        }  # fmt: skip
        self._write(STAGE_STATES, [row], Upsert(STAGE_STATES.key))

    def fill(self, sites: int) -> None:
        """Put visits into the window that ended last: of site n, n + 1, the last one hostile."""
        before = self._clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
        names = [f"site-{number}.example" for number in range(sites - 1)] + [HOSTILE]
        rows = [
            {"seen_at": before, "id": HUGE - 100 * number - visit, "site": name, "path": HOSTILE}
            for number, name in enumerate(names)
            for visit in range(number + 1)
        ]
        self._write(VISITS, rows, InsertNew(VISITS.key))
        totals = [{"site": name, "visits": number + 1} for number, name in enumerate(names)]
        self._write(SITES, totals, Append())

    def made(self, count: int, *, ago: timedelta = timedelta(0)) -> datetime:
        """Store the report `hourly` for the hour that was the last full one so long ago; return its end."""
        end = self._clock.now().replace(minute=0, second=0, microsecond=0) - ago
        row = {
            "report": "hourly", "window_start": end - timedelta(hours=6), "window_end": end,
            "made_at": self._clock.now(), "revision": 1, "row_count": 1,
            "rows": f'[{{"visits": {count}}}]', "digest": str(count),
        }  # fmt: skip
        self._write(MADE_REPORTS, [row], Upsert(MADE_REPORTS.key))
        return end

    def _write(self, table: Table, rows: list[dict[str, object]], mode: WriteMode) -> None:
        with self._store.begin("store", uuid4()) as transaction:
            transaction.write(table, pa.Table.from_pylist(rows, arrow_schema(table)), mode)
            transaction.commit()


@contextmanager
def visits(folder: Path) -> Iterator[tuple[Visits, Session]]:
    """Hold a store with visits of 25 sites, as a run would, and ask it."""
    from qanat.wiring import open_store

    settings, clock = CommonSettings(data_dir=folder), SystemClock()
    store = open_store(PIPELINE.name, settings, clock)
    try:
        store.migrate(PIPELINE.tables)
        filled = Visits(store, clock)
        filled.fill(25)
        filled.tell(1_000)
        with (
            owning(store, PIPELINE, settings, clock, {}),
            open_session(PIPELINE, settings, clock) as session,
        ):
            yield filled, session
    finally:
        store.close()
