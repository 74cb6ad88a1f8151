"""A process that holds a store of `metering` and answers for it, until its standard input ends.

    python owner_child.py DATA_DIR STORE_URL [TRANSPORT]

`Child` runs it.
"""

import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from uuid import uuid4

import pyarrow as pa

from qanat.clock import SystemClock
from qanat.errors import BadFile
from qanat.interfaces import Store
from qanat.pipelines.metering import ADD_TO_TOTALS, PIPELINE, TOTALS
from qanat.runtime.owner import Owner
from qanat.runtime.owner_address import Transport
from qanat.runtime.owner_wire import Json, Operation
from qanat.settings import CommonSettings
from qanat.tables import DEAD_LETTERS, Append, arrow_schema
from qanat.wiring import open_store

BIG = 10**37
CONSUMERS = 3
LETTERS = 2
AT = datetime(2026, 3, 17, 10, 20, 30, 123456, tzinfo=UTC)


class Child:
    """The process, from when it answers until the end of the context."""

    def __init__(self, data_dir: Path, url: str = "memory:owned", transport: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(data_dir), url, *([transport] if transport else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> "Child":
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self.__exit__(None, None, None)
            raise AssertionError("the process that should hold the store has ended")
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def settings_of(data_dir: Path, url: str = "memory:owned") -> CommonSettings:
    return CommonSettings(store=url, data_dir=data_dir)


def fill(store: Store) -> None:
    """Bring the tables into being, with a few rows; done again it adds as many letters."""
    store.migrate(PIPELINE.tables)
    totals = [
        {"consumer": consumer, "amount": Decimal(BIG), "parts": 1}
        for consumer in range(1, CONSUMERS + 1)
    ]
    letters = [_letter(b"7 x\xff\x1b", 0, "open"), _letter(b"", 20, "dropped")]
    with store.begin("count", uuid4()) as transaction:
        given = pa.Table.from_pylist(totals, schema=arrow_schema(TOTALS))
        transaction.write(TOTALS, given, ADD_TO_TOTALS)
        given = pa.Table.from_pylist(letters, schema=arrow_schema(DEAD_LETTERS))
        transaction.write(DEAD_LETTERS, given, Append())
        transaction.commit()


def _letter(raw: bytes, offset: int, state: str) -> Mapping[str, object]:
    return {
        "id": f"count:1:{offset}",
        "stage": "count",
        "origin": "a.txt",
        "origin_id": 1,
        "line": 1 + offset // 10,
        "byte_offset": offset,
        "reason": "malformed",
        "length": len(raw),
        "raw": raw,
        "rejected_at": AT,
        "state": state,
    }


def operations(ending: threading.Event | None = None) -> Mapping[str, Operation]:
    def echo(store: Store, **arguments: Json) -> dict[str, Json]:
        return {"identity": store.identity, **arguments}

    def bad_file(store: Store, name: str) -> dict[str, Json]:
        raise BadFile(f"{name} is bad", hint="mend it")

    def broken(store: Store) -> dict[str, Json]:
        raise ZeroDivisionError("a mistake in the operation")

    def until_ending(store: Store, begun: str) -> dict[str, Json]:
        Path(begun).touch()
        assert ending is not None
        assert ending.wait(60)
        return {"done": True}

    return {"echo": echo, "bad_file": bad_file, "broken": broken, "until_ending": until_ending}


def main() -> None:
    data_dir, url = Path(sys.argv[1]), sys.argv[2]
    transport = Transport(sys.argv[3]) if len(sys.argv) > 3 else None
    clock, ending = SystemClock(), threading.Event()
    store = open_store(PIPELINE.name, settings_of(data_dir, url), clock)
    fill(store)
    offered = operations(ending)
    with Owner(store, offered, data_dir, PIPELINE.name, clock, store_url=url, transport=transport):
        print("ready", flush=True)
        sys.stdin.read()
        threading.Timer(0.2, ending.set).start()
    store.close()


if __name__ == "__main__":
    main()
