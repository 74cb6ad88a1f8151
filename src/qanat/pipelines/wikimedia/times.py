"""Times as the events write them, many at once."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

_TYPE = pa.timestamp("us", tz="UTC")

# What Python and every store can show: from 0001-01-01 to before 10000-01-01, in microseconds since 1970.
_FIRST, _END = -62_135_596_800_000_000, 253_402_300_800_000_000


def parsed(texts: Sequence[str | None]) -> tuple[pa.Array, list[int]]:
    """Read times in ISO 8601 with their zone: `2025-09-06T03:28:53.322Z`, `…:53Z`, `…:53+00:00`.

    Returns:
        The times (timestamp[us, UTC]; null for None and for what isn't a time), and the places of what isn't one.
    """
    strings = pa.array(texts, pa.string())
    try:
        times = strings.cast(_TYPE)
    except pa.ArrowInvalid:
        times = pa.concat_arrays(_pieces(strings))
    times = _in_range(times)
    if times.null_count == strings.null_count:
        return times, []
    wrong = pc.and_not(pc.is_null(times), pc.is_null(strings))
    return times, pc.indices_nonzero(wrong).to_pylist()


def _pieces(strings: pa.Array) -> list[pa.Array]:
    """Halve until every piece can be read as a whole or is one text that can't: few are wrong, if any."""
    if not len(strings):
        return [pa.nulls(0, _TYPE)]
    try:
        return [strings.cast(_TYPE)]
    except pa.ArrowInvalid:
        if len(strings) == 1:
            return [pa.nulls(1, _TYPE)]
        middle = len(strings) // 2
        return [*_pieces(strings[:middle]), *_pieces(strings[middle:])]


def _in_range(times: pa.Array) -> pa.Array:
    numbers = times.cast(pa.int64())
    least, most = pc.min_max(numbers).values()
    if not least.is_valid or (least.as_py() >= _FIRST and most.as_py() < _END):
        return times
    inside = pc.and_(pc.greater_equal(numbers, _FIRST), pc.less(numbers, _END))
    return pc.if_else(inside, times, pa.scalar(None, _TYPE))
