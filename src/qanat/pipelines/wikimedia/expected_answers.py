"""What every report and look-up has to say, computed a second time: in plain Python, from the creations alone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import cast

from qanat.pipelines.wikimedia.expected import Creation, Row, hour_of

HOUR = timedelta(hours=1)
HOURS = 6


def expected_reports(creations: Sequence[Creation], end: datetime) -> dict[str, list[Row]]:
    """Return the rows of every report for the six hours before `end`, a full hour, with the defaults of its parameters."""
    return {
        "domains-by-hour": domains_by_hour(creations, end),
        "bots-by-domain": bots_by_domain(creations, end),
        "top-users": top_users(creations, end),
    }


def domains_by_hour(creations: Iterable[Creation], end: datetime) -> list[Row]:
    """Return the rows of the report of that name."""
    counts: Counter[tuple[datetime, str]] = Counter()
    for row in _within(creations, end - HOURS * HOUR, end):
        counts[hour_of(row.created_at), row.domain] += 1
    rows: list[Row] = []
    for hour in (end - (HOURS - number) * HOUR for number in range(HOURS)):
        of_hour = sorted((-count, domain) for (at, domain), count in counts.items() if at == hour)
        told: list[tuple[int, str | None]] = [(-count, domain) for count, domain in of_hour]
        rows += [
            {"hour_start": hour, "hour_end": hour + HOUR, "domain": domain, "pages": count}
            for count, domain in told or [(0, None)]
        ]
    return rows


def bots_by_domain(creations: Iterable[Creation], end: datetime) -> list[Row]:
    """Return the rows of the report of that name."""
    counts = Counter(
        row.domain for row in _within(creations, end - HOURS * HOUR, end) if row.is_bot
    )
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return [{"domain": domain, "bot_pages": count} for domain, count in ordered]


def top_users(
    creations: Sequence[Creation],
    end: datetime,
    top: int = 20,
    bots: str = "include",
    titles_max: int = 20,
) -> list[Row]:
    """Return the rows of the report of that name."""
    by_user: dict[tuple[str, str], list[Creation]] = {}
    for row in _within(creations, end - HOURS * HOUR, end):
        if row.who is not None and (bots == "include" or row.is_bot == (bots == "only")):
            by_user.setdefault((row.wiki, row.who), []).append(row)
    ordered = sorted(by_user, key=lambda user: (-len(by_user[user]), user))
    return [
        {
            "place": place,
            "domain": by_user[user][0].domain,
            "wiki": user[0],
            "user_id": by_user[user][0].user_id,
            "user_name": by_user[user][0].user_name,
            "pages": len(by_user[user]),
            "page_titles": " | ".join(_titles(by_user[user])[:titles_max]),
        }
        for place, user in enumerate(ordered[:top], start=1)
    ]


def domains(creations: Iterable[Creation]) -> list[Row]:
    """Return the rows of the look-up of that name."""
    rows: dict[str, Row] = {}
    for each in creations:
        domain = each.domain
        row = rows.setdefault(domain, {"domain": domain, "pages": 0, "bot_pages": 0, "articles": 0})
        row["pages"] = cast("int", row["pages"]) + 1
        row["bot_pages"] = cast("int", row["bot_pages"]) + int(each.is_bot)
        row["articles"] = cast("int", row["articles"]) + int(each.namespace == 0)
    return [rows[domain] for domain in sorted(rows)]


def domain_articles(creations: Iterable[Creation], domain: str) -> list[Row]:
    """Return the row of the look-up of that name."""
    namespaces = [row.namespace for row in creations if row.domain == domain]
    return [{"domain": domain, "articles": namespaces.count(0), "pages": len(namespaces)}]


def user_pages(
    creations: Iterable[Creation],
    user_id: int | None = None,
    user_name: str | None = None,
    wiki: str | None = None,
) -> list[Row]:
    """Return the rows of the look-up of that name."""
    names = (
        "wiki domain user_id user_name page_id page_title namespace is_redirect created_at event_id"
    )
    found = [
        row
        for row in creations
        if wiki in (None, row.wiki)
        and (
            (user_id is not None and row.user_id == user_id)
            or (user_name is not None and row.user_name == user_name)
        )
    ]
    found.sort(key=lambda row: row.event_id)
    found.sort(key=lambda row: row.created_at, reverse=True)
    return [{name: row._asdict()[name] for name in names.split()} for row in found]


def page(
    creations: Iterable[Creation], page_id: int, wiki: str | None = None, domain: str | None = None
) -> list[Row]:
    """Return the rows of the look-up of that name."""
    latest: dict[str, Creation] = {}
    for row in creations:
        if row.page_id == page_id and wiki in (None, row.wiki) and domain in (None, row.domain):
            before = latest.get(row.wiki)
            if before is None or _moment_and_id(before) < _moment_and_id(row):
                latest[row.wiki] = row
    names = (
        "wiki domain page_id page_title namespace is_redirect user_id user_name is_bot created_at"
        " revised_at rev_id"
    )
    return [{name: latest[one]._asdict()[name] for name in names.split()} for one in sorted(latest)]


def users(
    creations: Iterable[Creation],
    since: datetime | None = None,
    until: datetime | None = None,
    wiki: str | None = None,
) -> list[Row]:
    """Return the rows of the look-up of that name."""
    rows: dict[tuple[str, str], Row] = {}
    for each in _within(creations, since, until):
        if each.who is None or wiki not in (None, each.wiki):
            continue
        told = {name: each._asdict()[name] for name in ("wiki", "domain", "user_id", "user_name")}
        key = (each.wiki, each.who)
        row = rows.setdefault(key, {**told, "pages": 0, "bot_pages": 0})
        row["pages"] = cast("int", row["pages"]) + 1
        row["bot_pages"] = cast("int", row["bot_pages"]) + int(each.is_bot)
    return [
        rows[key] for key in sorted(rows, key=lambda key: (-cast("int", rows[key]["pages"]), key))
    ]


def _titles(rows: Iterable[Creation]) -> list[str]:
    def order(row: Creation) -> tuple[datetime, str, str]:
        return row.created_at, row.page_title, row.event_id

    return [row.page_title for row in sorted(rows, key=order)]


def _within(
    creations: Iterable[Creation], since: datetime | None, until: datetime | None
) -> Iterator[Creation]:
    for row in creations:
        if (since is None or row.created_at >= since) and (until is None or row.created_at < until):
            yield row


def _moment_and_id(row: Creation) -> tuple[datetime, str]:
    return row.created_at, row.event_id
