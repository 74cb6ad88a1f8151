"""The input of the proof of `metering`: what a file comes to, by a count that shares nothing with the kernel."""

from pathlib import Path

import pytest

from qanat.pipelines.metering.proof_input import Letter, Stock, lines_in, truth_of


@pytest.mark.parametrize(
    ("content", "sums", "letters"),
    [
        (b"", {}, []),
        (b"1 5\n1 6\n2 7\n", {1: 11, 2: 7}, []),
        (b"007 010\n", {7: 10}, []),
        (b"1 5\r\n1 6", {1: 11}, []),
        (b"1 5\r", {}, [Letter(1, 0, b"1 5\r")]),
        (b"\n1 5\n", {1: 5}, [Letter(1, 0, b"")]),
        (b"1 5\n1  5\nx\r\n2 2\n", {1: 5, 2: 2}, [Letter(2, 4, b"1  5"), Letter(3, 9, b"x")]),
        (b"1 5\r\r\n", {}, [Letter(1, 0, b"1 5\r")]),
        (
            b"9" * 18 + b" 1\n" + b"9" * 19 + b" 1\n",
            {10**18 - 1: 1},
            [Letter(2, 21, b"9" * 19 + b" 1")],
        ),
        ("١ 5\n".encode(), {}, [Letter(1, 0, "١ 5".encode())]),
    ],
)
def test_truth(content: bytes, sums: dict[int, int], letters: list[Letter]) -> None:
    """Good lines are summed, the others are told with their place and bytes."""
    truth = truth_of(content)
    assert (sums, letters) == (dict(truth.sums), list(truth.letters))
    assert truth.lines == truth.lines_good + len(letters)


def test_totals_tell_their_lines(tmp_path: Path) -> None:
    """In the stock, what a consumer's amounts come to says how many lines they are."""
    stock = Stock(tmp_path, seed=3, size_bytes=20_000)
    truths = [stock.item(number).truth for number in range(8)]
    for truth in truths:
        assert truth.lines_good == sum(map(lines_in, truth.sums.values()))
    assert any(truth.letters for truth in truths)


def test_kinds(tmp_path: Path) -> None:
    """Eight items in a row have every kind: large, wide, compressed in both ways."""
    stock = Stock(tmp_path, seed=3, size_bytes=20_000)
    items = [stock.item(number) for number in range(8)]
    assert {"", ".gz", ".zst"} == {item.suffix for item in items}
    assert any(item.path.stat().st_size > stock.large_bytes for item in items)
    assert any(len(item.truth.sums) > 500 for item in items)
    again = Stock(tmp_path / "again", seed=3, size_bytes=20_000)
    assert items[2].path.read_bytes() == again.item(2).path.read_bytes()
