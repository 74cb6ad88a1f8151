"""What the tables have to hold, computed a second time: in plain Python, from the bytes of the events alone.

Nothing is shared with the pipeline but names. Tests, `prove` and the demo compare the two.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeAlias, TypeVar, cast

Value: TypeAlias = int | str | bool | datetime | None
Row: TypeAlias = dict[str, Value]
Json: TypeAlias = Mapping[str, object]
T = TypeVar("T")

HORIZON = timedelta(days=32)
AHEAD_MAX = timedelta(days=1)
TOO_LATE = "too_late"


class Received(NamedTuple):
    """An event as it came: in the order of the stream, repeats included."""

    type: str
    data: bytes
    received_at: datetime


class Creation(NamedTuple):
    """One row of the table `creations`."""

    created_at: datetime
    event_id: str
    received_at: datetime
    wiki: str
    domain: str
    page_id: int
    page_title: str
    namespace: int
    is_redirect: bool
    rev_id: int
    revised_at: datetime | None
    user_id: int | None
    user_name: str | None
    is_bot: bool
    who: str | None


class Judged(NamedTuple):
    """What becomes of a stream.

    Attributes:
        creations: Each creation of a page, in the order in which they first came.
        rejected: The bytes of each event that can't be used, each time it came.
        too_late: The creations that came too late to be told from repeats, each time.
    """

    creations: list[Creation]
    rejected: list[bytes]
    too_late: list[Creation]


class _Unusable(Exception):
    """An event that has to become a dead letter."""


def judged(stream: Iterable[Received]) -> Judged:
    """Read a whole stream."""
    creations: dict[tuple[datetime, str], Creation] = {}
    rejected: list[bytes] = []
    too_late: list[Creation] = []
    newest: datetime | None = None
    for event in stream:
        try:
            creation = _read(event)
        except _Unusable:
            rejected.append(event.data)
            continue
        if creation is None:
            continue
        happened = creation.created_at
        # A time far ahead of the receipt is wrong, and mustn't make all others late.
        if happened <= event.received_at + AHEAD_MAX and (newest is None or happened > newest):
            newest = happened
        behind = newest is not None and newest - happened > HORIZON
        if behind and event.received_at - happened > HORIZON:
            too_late.append(creation)
        else:
            creations.setdefault((creation.created_at, creation.event_id), creation)
    return Judged(list(creations.values()), rejected, too_late)


def expected_tables(stream: Iterable[Received]) -> dict[str, list[Row]]:
    """Return the rows of every table, in the order of its key."""
    return tables_of(judged(stream).creations)


def tables_of(creations: Iterable[Creation]) -> dict[str, list[Row]]:
    """Return the rows of every table that belong to these creations."""
    tables: dict[str, dict[tuple[Value, ...], Row]] = {
        name: {} for name in ("creations", "users", "domains", "domain_hours", "user_hours")
    }
    for creation in creations:
        tables["creations"][creation.created_at, creation.event_id] = creation._asdict()
        _count_domain(tables, creation)
        if creation.who is not None:
            _count_user(tables, creation)
    # No part of a key is null.
    return {name: [rows[key] for key in sorted(rows)] for name, rows in tables.items()}


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _count_domain(tables: dict[str, dict[tuple[Value, ...], Row]], creation: Creation) -> None:
    sums = {
        "pages": 1,
        "bot_pages": int(creation.is_bot),
        "articles": int(creation.namespace == 0),
    }
    _add(tables["domains"], {"domain": creation.domain}, {}, sums)
    hour = hour_of(creation.created_at)
    _add(tables["domain_hours"], {"hour": hour, "domain": creation.domain}, {}, sums)


def _count_user(tables: dict[str, dict[tuple[Value, ...], Row]], creation: Creation) -> None:
    sums = {"pages": 1, "bot_pages": int(creation.is_bot)}
    user: Row = {"wiki": creation.wiki, "who": creation.who}
    told: Row = {
        "domain": creation.domain,
        "user_id": creation.user_id,
        "user_name": creation.user_name,
    }
    _add(tables["users"], user, told, sums)
    _add(tables["user_hours"], {"hour": hour_of(creation.created_at), **user}, told, sums)


def _add(rows: dict[tuple[Value, ...], Row], key: Row, told: Row, sums: Mapping[str, int]) -> None:
    row = rows.setdefault(tuple(key.values()), {**key, **told, **dict.fromkeys(sums, 0)})
    for name, value in sums.items():
        row[name] = cast("int", row[name]) + value


def _read(event: Received) -> Creation | None:
    """Return the creation that an event tells of; None for one that is left out.

    Raises:
        _Unusable: It can't be used.
    """
    if event.type != "message":
        if event.type == "error":
            raise _Unusable
        return None
    told = _object(_parsed(event.data))
    meta = told.get("meta")
    if isinstance(meta, dict) and meta.get("domain") == "canary":
        return None
    if told.get("database") == "examplewiki":
        return None
    return _creation(told, _object(meta), event.received_at)


def _creation(told: Json, meta: Json, received_at: datetime) -> Creation:
    by = _optional(told, "performer", _object) or {}
    name = _optional(by, "user_text", _any_text) or None
    number = _optional(by, "user_id", _number) or None
    who = name if number is None else f"#{number}"
    is_bot = _flag(by["user_is_bot"]) if "user_is_bot" in by else False
    return Creation(
        created_at=_moment(meta.get("dt")),
        event_id=_text(meta.get("id")),
        received_at=received_at,
        wiki=_text(told.get("database")),
        domain=_text(meta.get("domain")),
        page_id=_number(told.get("page_id")),
        page_title=_text(told.get("page_title")),
        namespace=_integer(told.get("page_namespace")),
        is_redirect=_flag(told.get("page_is_redirect")),
        rev_id=_number(told.get("rev_id")),
        revised_at=_optional(told, "rev_timestamp", _moment),
        user_id=number,
        user_name=name,
        is_bot=is_bot,
        who=who,
    )


def _parsed(data: bytes) -> object:
    try:
        return cast("object", json.loads(data.decode("utf-8", "surrogateescape")))
    except (ValueError, RecursionError) as error:
        raise _Unusable from error


def _object(value: object) -> Json:
    if not isinstance(value, dict):
        raise _Unusable
    return value


def _optional(told: Json, name: str, read: Callable[[object], T]) -> T | None:
    value = told.get(name)
    return None if value is None else read(value)


def _text(value: object) -> str:
    text = _any_text(value)
    if not text:
        raise _Unusable
    return text


def _any_text(value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise _Unusable
    # What wasn't UTF-8, and half of a character outside the first 65,536, are such code points.
    if any(0xD800 <= ord(letter) < 0xE000 for letter in value):
        raise _Unusable
    return value


def _integer(value: object) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise _Unusable
    return value


def _number(value: object) -> int:
    if _integer(value) < 0:
        raise _Unusable
    return _integer(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Unusable
    return value


def _moment(value: object) -> datetime:
    if not isinstance(value, str):
        raise _Unusable
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise _Unusable from error
    if moment.tzinfo is None:
        raise _Unusable
    return moment.astimezone(UTC)
