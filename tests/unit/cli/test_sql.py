"""`qanat sql`: what a statement returns is printed exactly, in each form."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run
from tests.unit.runtime.owner_child import BIG, CONSUMERS, Child

STATEMENT = (
    "select 12345678901234567890123456789012345678::hugeint as big, 1.50::decimal(5, 2) as exact,"
    " timestamptz '2026-03-17 10:20:30.5+02' as at, timestamp '2026-03-17 10:20:30' as naive,"
    " 'a\x1b[2J\"é,\n' as text, '\\x00\\xFF'::blob as bytes, true as yes, null as nothing,"
    " [1, 2] as list, date '2026-03-17' as day"
)


def test_json_is_exact(run: Run, filled: list[str]) -> None:
    """Numbers of any size stay numbers, moments are UTC, bytes are base64."""
    ended = run("sql", "metering", STATEMENT, "--json", *filled)
    assert (ended.code, ended.err) == (0, "")
    assert '"big":12345678901234567890123456789012345678,"exact":1.50,' in ended.out
    [row] = json.loads(ended.out)
    assert row == {
        "big": 12345678901234567890123456789012345678,
        "exact": 1.5,
        "at": "2026-03-17T08:20:30.500000Z",
        "naive": "2026-03-17T10:20:30",
        "text": 'a\x1b[2J"é,\n',
        "bytes": "AP8=",
        "yes": True,
        "nothing": None,
        "list": [1, 2],
        "day": "2026-03-17",
    }


def test_csv_is_exact(run: Run, filled: list[str]) -> None:
    """The same values as text, quoted where they need it."""
    ended = run("sql", "metering", STATEMENT, "--csv", *filled)
    names, values = csv.reader(io.StringIO(ended.out))
    row = dict(zip(names, values, strict=True))
    assert row == {
        "big": "12345678901234567890123456789012345678",
        "exact": "1.50",
        "at": "2026-03-17T08:20:30.500000Z",
        "naive": "2026-03-17T10:20:30",
        "text": 'a\x1b[2J"é,\n',
        "bytes": "AP8=",
        "yes": "true",
        "nothing": "",
        "list": "[1,2]",
        "day": "2026-03-17",
    }


def test_a_table_is_aligned_and_harmless(run: Run, filled: list[str]) -> None:
    """Numbers stand right, text left; nothing in a value reaches the terminal as a command."""
    sql = "select * from (values (1, 'a' || chr(27)), (200, 'bc')) t(number, text)"
    ended = run("sql", "metering", sql, *filled)
    assert ended.out == "number  text\n------  -----\n     1  a\\x1b\n   200  bc\n"


@pytest.mark.parametrize(
    ("form", "out"), [("", "x\n-\n(no rows)\n"), ("--csv", "x\n"), ("--json", "[]\n")]
)
def test_no_rows(run: Run, filled: list[str], form: str, out: str) -> None:
    """A result without rows is a result."""
    sql = "select 1 as x where false"
    assert out == run("sql", "metering", sql, *filter(None, [form]), *filled).out


def test_rows_come_one_a_line(run: Run, filled: list[str]) -> None:
    """A JSON array whose rows can be told apart by line tools."""
    ended = run("sql", "metering", "select * from range(3) r(i)", "--json", *filled)
    assert ended.out == '[\n{"i":0},\n{"i":1},\n{"i":2}\n]\n'


def test_columns_of_one_name_are_told_apart(run: Run, filled: list[str]) -> None:
    """No column is lost as a key of JSON."""
    ended = run("sql", "metering", "select 1 as x, 2 as x", "--json", *filled)
    assert [[1, 2]] == [list(row.values()) for row in json.loads(ended.out)]


@pytest.mark.parametrize("sql", ["selec", "select * from nowhere", "delete from totals", ""])
def test_a_wrong_statement_is_wrong_use(run: Run, filled: list[str], sql: str) -> None:
    """It exits with 2, says what is wrong, prints no rows and changes nothing."""
    ended = run("sql", "metering", sql, *filled)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("qanat: the statement is")
    count = run("sql", "metering", "select count(*) as n from totals", "--csv", *filled)
    assert count.out == f"n\n{CONSUMERS}\n"


def test_a_statement_from_standard_input(
    run: Run, filled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` takes the statement from a pipe."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("select 7 as x"))
    assert run("sql", "metering", "-", "--csv", *filled).out == "x\n7\n"


def test_while_another_process_holds_the_store(run: Run, tmp_path: Path) -> None:
    """The same command, while a run is running."""
    options = ["--store", "memory:owned", "--data-dir", str(tmp_path)]
    with Child(tmp_path):
        ended = run("sql", "metering", "select max(amount) as most from totals", "--json", *options)
    assert [{"most": BIG}] == ended.json()


def test_a_reader_that_goes_is_no_error(tmp_path: Path) -> None:
    """`qanat sql … | head` ends quietly."""
    options = ["--store", "memory:owned", "--data-dir", str(tmp_path)]
    sql = "select i from range(3000000) r(i)"
    command = [sys.executable, "-m", "qanat", "sql", "metering", sql, "--csv", *options]
    with (
        Child(tmp_path),
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process,
    ):
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"i\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_what_is_piped_is_the_same_everywhere(tmp_path: Path) -> None:
    """UTF-8 and LF, whatever the system's own encoding is."""
    options = ["--store", "memory:owned", "--data-dir", str(tmp_path)]
    sql = "select chr(1078) || chr(9472) || chr(128512) || chr(13) || chr(10) as x"
    command = [sys.executable, "-m", "qanat", "sql", "metering", sql, "--csv", *options]
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    with Child(tmp_path):
        ended = subprocess.run(command, capture_output=True, env=environment, check=True)
    assert ended.stdout == 'x\n"ж─😀\r\n"\n'.encode()
