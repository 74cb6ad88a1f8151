"""What `metering` answers over HTTP beside what every pipeline does."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query
from pydantic import BaseModel

from qanat.pipelines.metering.periods import Granularity
from qanat.pipelines.metering.questions import Question, usage
from qanat.session import Session

NUMBER_MAX = 10**18 - 1
TOP_MAX = 1000

Consumer = Annotated[int, Path(ge=0, le=NUMBER_MAX, description="The consumer's number.")]


class Total(BaseModel):
    """Everything that a consumer ever used; the amount is exact, as text."""

    consumer: int
    amount: str
    parts: int


class Period(BaseModel):
    """Usage in one period; the amount is exact, as text."""

    period_start: datetime
    amount: str


class Usage(BaseModel):
    """Usage over time, with the bounds that were used (`snap` may have widened them)."""

    granularity: Granularity
    consumer: int | None
    since: datetime | None
    until: datetime | None
    usage: list[Period]


def router(session: Session) -> APIRouter:
    """Make the router."""
    made = APIRouter(tags=["metering"])

    @made.get("/totals/{consumer}", responses={404: {"description": "No such consumer."}})
    def total(consumer: Consumer) -> Total:
        """The total of one consumer."""
        rows = session.query(
            "select consumer, amount, parts from totals where consumer = $consumer",
            {"consumer": consumer},
        ).to_pylist()
        if not rows:
            raise HTTPException(404, f"consumer {consumer} never occurred")
        return _total(rows[0])

    @made.get("/top")
    def top(limit: Annotated[int, Query(ge=1, le=TOP_MAX)] = 10) -> list[Total]:
        """The consumers with the greatest totals; equal ones by number."""
        rows = session.query(
            "select consumer, amount, parts from totals order by amount desc, consumer limit $limit",
            {"limit": limit},
        )
        return [_total(row) for row in rows.to_pylist()]

    @made.get("/usage")
    def usage_over_time(
        granularity: Granularity = Granularity.HOUR,
        consumer: Annotated[int | None, Query(ge=0, le=NUMBER_MAX)] = None,
        since: datetime | None = None,
        until: datetime | None = None,
        snap: bool = False,
    ) -> Usage:
        """Usage over time, of one consumer or of all together."""
        question = Question(granularity, consumer, _utc(since), _utc(until), snap)
        answer = usage(session, question)
        return Usage(
            granularity=granularity,
            consumer=consumer,
            since=answer.question.since,
            until=answer.question.until,
            usage=[
                Period(period_start=row["period_start"], amount=str(row["amount"]))
                for row in answer.rows.to_pylist()
            ],
        )

    return made


def _total(row: dict[str, int]) -> Total:
    return Total(consumer=row["consumer"], amount=str(row["amount"]), parts=row["parts"])


def _utc(moment: datetime | None) -> datetime | None:
    """Take a moment without a time zone as UTC."""
    if moment is None:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
