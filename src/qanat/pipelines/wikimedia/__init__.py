"""Creations of pages on all of Wikimedia's wikis, by domain, by user, by hour."""

from qanat.pipeline import Deduplicate, Input, Order, Pipeline, Stage, Write
from qanat.pipelines.wikimedia.reports import LOOKUPS, REPORTS
from qanat.pipelines.wikimedia.tables import (
    CREATIONS,
    DOMAIN_HOURS,
    DOMAINS,
    TABLES,
    USER_HOURS,
    USERS,
)
from qanat.pipelines.wikimedia.topics import INPUT, PROCESSED, TOPICS
from qanat.streaming import STREAM_OPERATIONS
from qanat.tables import DEAD_LETTERS, Add, Table

LOCATION = "https://stream.wikimedia.org/v2/stream/mediawiki.page-create"

# Wikimedia keeps at most 31 days of history: what comes later than this isn't a repeat from there.
HORIZON_S = 32 * 86_400.0

_COUNTS = ("pages", "bot_pages", "articles")
_MODES: tuple[tuple[Table, Add], ...] = (
    (USERS, Add(USERS.key, sums=("pages", "bot_pages"))),
    (DOMAINS, Add(DOMAINS.key, sums=_COUNTS)),
    (DOMAIN_HOURS, Add(DOMAIN_HOURS.key, sums=_COUNTS)),
    (USER_HOURS, Add(USER_HOURS.key, sums=("pages", "bot_pages"))),
)

PIPELINE = Pipeline(
    name="wikimedia",
    title="Pages created on Wikimedia's wikis, by domain, user and hour",
    stages=(
        Stage(
            name="ingest",
            input=Input(
                kind="sse",
                name="page-create",
                order=Order.ORDERED,
                repeats=True,
                location=LOCATION,
            ),
            publishes=(INPUT,),
            about="keeps every event as it was received",
        ),
        Stage(
            name="clean",
            input=Input(kind="topic", name=INPUT.name, order=Order.ORDERED),
            transform="qanat.pipelines.wikimedia.clean:clean",
            publishes=(PROCESSED,),
            about="reads the events; leaves out signs of life, examples and other kinds of events",
        ),
        Stage(
            name="store",
            input=Input(kind="topic", name=PROCESSED.name, order=Order.ORDERED),
            deduplicate=Deduplicate(
                CREATIONS,
                key=CREATIONS.key,
                happened="created_at",
                received="received_at",
                horizon_s=HORIZON_S,
            ),
            writes=tuple(
                Write(table, mode, f"qanat.pipelines.wikimedia.sql:{table.name}.sql")
                for table, mode in _MODES
            ),
            about="counts each event once",
        ),
    ),
    topics=TOPICS,
    tables=(*TABLES, DEAD_LETTERS),
    operations=STREAM_OPERATIONS,
    offers="qanat.streaming.operations:offered",
    reports=REPORTS,
    lookups=LOOKUPS,
    recording="qanat.pipelines.wikimedia.recording:eight_hours.sse.zst",
    proof="qanat.pipelines.wikimedia.proof:PROOF",
)
