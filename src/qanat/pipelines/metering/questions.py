"""Questions about usage in a span of time. What is kept by day can't be told by hour: such a question is refused, or snapped."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from qanat.errors import ConfigError
from qanat.interfaces import Scalar
from qanat.pipelines.metering.periods import Granularity, end_of, start_of
from qanat.runtime.registry import Queries

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Question:
    """Usage from `since` (included) to `until` (excluded), in periods of `granularity`.

    Attributes:
        consumer: None for all together.
        since: None for the beginning.
        until: None for no end.
        snap: Widen bounds that cut a period instead of refusing them.
    """

    granularity: Granularity
    consumer: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    snap: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What was asked, with the bounds that were used, and the rows: `period_start`, `amount`."""

    question: Question
    rows: "pa.Table"


def usage(store: Queries, question: Question) -> Answer:
    """Answer a question.

    Raises:
        ConfigError: A bound cuts a period, or usage is kept in coarser periods than asked for; says what could be asked.
    """
    question = _bounded(store, question)
    _check_granularity(store, question)
    condition, parameters = _condition(question)
    rows = store.query(
        "select date_trunc($granularity, period_start) as period_start,"
        f" cast(sum(amount) as numeric(38, 0)) as amount from usage where {condition}"
        " group by 1 order by 1",
        {**parameters, "granularity": str(question.granularity)},
    )
    return Answer(question, rows)


def _bounded(store: Queries, question: Question) -> Question:
    for name, bound in (("since", question.since), ("until", question.until)):
        if bound is None:
            continue
        for granularity, start in _cut(store, question, bound):
            earlier, later = start, end_of(granularity, start)
            if not question.snap:
                raise ConfigError(
                    f"--{name}",
                    bound.isoformat(),
                    f"{earlier.isoformat()} or {later.isoformat()}",
                    hint=f"Usage there is kept by {granularity}. --snap widens the bounds to whole periods.",
                )
            wider = min(bound, earlier) if name == "since" else max(bound, later)
            question = replace(question, **{name: wider})  # type: ignore[arg-type]  # a datetime, by its name
            bound = wider  # noqa: PLW2901 - a coarser period may be cut by the wider bound
    return question


def _cut(
    store: Queries, question: Question, bound: datetime
) -> Iterator[tuple[Granularity, datetime]]:
    """Yield the kept periods that begin before `bound` and end after it."""
    for granularity in Granularity:
        start = start_of(granularity, bound)
        if start == bound:
            continue
        condition, parameters = _condition(Question(granularity, question.consumer))
        found = store.query(
            f"select 1 as found from usage where {condition} and granularity = $kept"
            " and period_start = $start limit 1",
            {**parameters, "kept": str(granularity), "start": start},
        )
        if found.num_rows:
            yield granularity, start


def _check_granularity(store: Queries, question: Question) -> None:
    coarser = {
        Granularity.HOUR: (Granularity.DAY, Granularity.MONTH),
        Granularity.DAY: (Granularity.MONTH,),
        Granularity.MONTH: (),
    }[question.granularity]
    condition, parameters = _condition(question)
    for kept in coarser:
        found = store.query(
            "select min(period_start) as first, max(period_start) as last from usage"
            f" where {condition} and granularity = $kept",
            {**parameters, "kept": str(kept)},
        )
        first, last = found.column("first")[0].as_py(), found.column("last")[0].as_py()
        if first is not None:
            raise ConfigError(
                "--granularity",
                str(question.granularity),
                f"{kept} or coarser",
                hint=f"From {first.isoformat()} to {end_of(kept, last).isoformat()} usage is kept by {kept};"
                " ask for that, or for another span.",
            )


def _condition(question: Question) -> tuple[str, dict[str, Scalar]]:
    conditions, parameters = ["granularity in ('hour', 'day', 'month')"], dict[str, Scalar]()
    if question.consumer is not None:
        conditions.append("consumer = $consumer")
        parameters["consumer"] = question.consumer
    if question.since is not None:
        conditions.append("period_start >= $since")
        parameters["since"] = question.since
    if question.until is not None:
        conditions.append("period_start < $until")
        parameters["until"] = question.until
    return " and ".join(conditions), parameters
