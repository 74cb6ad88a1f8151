"""Dead letters, as far as two runs agree on them: by their bytes, and late records by what they say."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from qanat.prove.streams.truth import Row
from qanat.runtime.lateness import TOO_LATE
from qanat.runtime.letters import RAW_BYTES_MAX
from qanat.runtime.registry import Queries


class Letters(NamedTuple):
    """How often each is there."""

    rejected: Counter[bytes]
    late: Counter[bytes]


def found_letters(asked: Queries, ignored: frozenset[str]) -> Letters:
    """Return those in the store."""
    rejected, late = Counter[bytes](), Counter[bytes]()
    for row in asked.query("select reason, raw from dead_letters").to_pylist():
        if row["reason"] == TOO_LATE:
            late[_comparable(json.loads(row["raw"]), ignored)] += 1
        else:
            rejected[row["raw"]] += 1
    return Letters(rejected, late)


def expected_letters(
    rejected: Iterable[bytes], late: Iterable[Row], ignored: frozenset[str]
) -> Letters:
    """Return those that have to be there."""
    told = (json.loads(msgspec.json.encode(row)) for row in late)
    return Letters(
        Counter(raw[:RAW_BYTES_MAX] for raw in rejected),
        Counter(_comparable(row, ignored) for row in told),
    )


def _comparable(row: Mapping[str, object], ignored: frozenset[str]) -> bytes:
    kept = {name: value for name, value in row.items() if name not in ignored}
    return json.dumps(kept, sort_keys=True).encode()
