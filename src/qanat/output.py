"""Printing rows: as an aligned table, as CSV, or as JSON; batch by batch, so that a result may be
larger than memory.

Values are written exactly: whole numbers of any size and decimals as JSON numbers, moments as ISO
8601 (`Z` for UTC), bytes as base64.
"""

import base64
import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, TextIO

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

# The widths of a table's columns are those of its first rows; later ones may stand out.
MEASURED_ROWS = 1_000
# A wide value would push everything else off the screen.
WIDTH_MAX = 60

_NOTHING = '""'
_TO_QUOTE = frozenset(',"\r\n')
_PLAIN = str.maketrans({"─": "-", "▶": ">", "┬": "+", "├": "+", "└": "+"})

_JSON = msgspec.json.Encoder(decimal_format="number")

Row = Sequence[object]


class Form(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def form_of(*, as_json: bool, as_csv: bool) -> Form:
    """Return the form that two flags ask for; JSON when both do."""
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE


def print_batches(reader: "pa.RecordBatchReader", form: Form, stream: TextIO | None = None) -> None:
    """Print a result as it comes (to standard output)."""
    print_rows(reader.schema.names, rows_of(reader), form, stream)


def print_rows(
    names: Sequence[str], rows: Iterable[Row], form: Form, stream: TextIO | None = None
) -> None:
    """Print rows, each a sequence of values in the order of `names` (to standard output)."""
    write = {Form.TABLE: _write_table, Form.CSV: _write_csv, Form.JSON: _write_json}[form]
    write(_told_apart(names), rows, stream or sys.stdout)


def print_json(value: object, stream: TextIO | None = None) -> None:
    """Print one value as indented JSON (to standard output)."""
    text = msgspec.json.format(_JSON.encode(value), indent=2).decode()
    (stream or sys.stdout).write(f"{text}\n")


def rows_of(batches: "Iterable[pa.RecordBatch]") -> Iterator[Row]:
    """Yield the rows of record batches as tuples of Python values."""
    for batch in batches:
        columns = [_values(column) for column in batch.columns]
        yield from zip(*columns, strict=True) if columns else ()


def text_of(value: object) -> str:
    """Write one value as text, exactly; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    text = _JSON.encode(value).decode()
    return text[1:-1] if text.startswith('"') else text


def moment_text(moment: datetime) -> str:
    """Write a moment as ISO 8601, in UTC where it has a time zone."""
    if moment.tzinfo is None:
        return moment.isoformat()
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def printable(text: str) -> str:
    r"""Escape what would move a terminal's cursor or worse: control characters become `\n`, `\x1b`,
    ….
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def bytes_text(raw: bytes) -> str:
    r"""Read bytes as UTF-8; what isn't becomes `\xNN`."""
    return raw.decode("utf-8", "backslashreplace")


def drawable(text: str, stream: TextIO) -> str:
    """Return a drawing as `stream` can show it: with ASCII where its encoding has no lines and
    arrows.
    """
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return text.translate(_PLAIN)
    return text


def _write_table(names: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    coming = iter(rows)
    first = list(itertools.islice(coming, MEASURED_ROWS))
    cells = [[_cell(value) for value in row] for row in first]
    widths = [
        min(WIDTH_MAX, max(map(len, [name, *(row[index] for row in cells)])))
        for index, name in enumerate(names)
    ]
    right = [_numeric(row[index] for row in first) for index in range(len(names))]
    stream.write(_line([printable(name) for name in names], widths, right))
    stream.write("  ".join("-" * width for width in widths) + "\n")
    for row in itertools.chain(cells, ([_cell(value) for value in row] for row in coming)):
        stream.write(_line(row, widths, right))
    if not first:
        stream.write("(no rows)\n")


def _write_csv(names: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    # By hand: csv.writer leaves a lone CR unquoted, which every reader takes for the end of a row.
    stream.write(_csv_line(names))
    for row in rows:
        stream.write(_csv_line(row))


def _csv_line(values: Iterable[object]) -> str:
    """Write a row: null as nothing, an empty text as `""`; a row of one null as `""` too, for a
    reader skips an empty line.
    """
    line = ",".join("" if value is None else _csv_cell(text_of(value)) for value in values)
    return f"{line or _NOTHING}\n"


def _csv_cell(text: str) -> str:
    if not text:
        return _NOTHING
    if _TO_QUOTE.isdisjoint(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _write_json(names: Sequence[str], rows: Iterable[Row], stream: TextIO) -> None:
    before = "[\n"
    for row in rows:
        values = dict(zip(names, map(_json_value, row), strict=True))
        stream.write(before + _JSON.encode(values).decode())
        before = ",\n"
    stream.write("[]\n" if before == "[\n" else "\n]\n")


def _json_value(value: object) -> object:
    return moment_text(value) if isinstance(value, datetime) else value


def _cell(value: object) -> str:
    return printable(text_of(value))


def _numeric(values: Iterable[object]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(
        isinstance(value, int | float | Decimal) and not isinstance(value, bool) for value in there
    )


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if aligned else cell.ljust(width)
        for cell, width, aligned in zip(cells, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip() + "\n"


def _told_apart(names: Sequence[str]) -> list[str]:
    """Number names that occur again, so that no column is lost as a key of JSON."""
    found: list[str] = []
    for name in names:
        numbers = (f"{name}_{number}" for number in itertools.count(2))
        found.append(name if name not in found else next(n for n in numbers if n not in found))
    return found


def _values(column: "pa.Array") -> list[object]:
    import pyarrow as pa

    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python has no nanoseconds.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    return list(column.to_pylist())
