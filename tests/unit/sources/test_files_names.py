"""Names: each has one printable text, and what isn't input is recognised."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qanat.sources.files_names import (
    alternatives,
    compression_of,
    is_side_file,
    is_temporary,
    raw_name,
    shown,
)


@given(st.binary(min_size=1).filter(lambda raw: b"/" not in raw and b"\0" not in raw))
def test_every_name_of_bytes_has_a_printable_text_that_leads_back_to_it(name: bytes) -> None:
    raw = name.decode("utf-8", "surrogateescape")
    text = shown(raw)
    assert text.isprintable()
    assert text.encode("utf-8")
    assert raw_name(text).encode("utf-8", "surrogateescape") == name


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_names_never_have_one_text(one: str, other: str) -> None:
    assert (shown(one) == shown(other)) == (one == other)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("usage 2026.txt", "usage 2026.txt"),
        ("größe.txt", "größe.txt"),
        ("two\nlines", r"two\x0alines"),
        ("not\udcffutf-8", r"not\xffutf-8"),
        ("c1\x85control", r"c1\u0085control"),
        ("back\\slash", r"back\\slash"),
        ("\U000e0001tag", r"\U000e0001tag"),
    ],
)
def test_a_text_shows_the_name_where_it_can(raw: str, text: str) -> None:
    assert shown(raw) == text


def test_text_that_is_no_escaped_name_is_taken_literally() -> None:
    """A user may type a name with a lone backslash; it's looked for as typed."""
    assert raw_name(r"a\q") == r"a\q"


@pytest.mark.parametrize(
    "name",
    [".hidden", "~$book", "a.part", "a.PARTIAL", "a.txt.filepart", "a.tmp", "a.crdownload", "a~"],
)
def test_names_of_unfinished_files_are_recognised(name: str) -> None:
    assert is_temporary(name)


@pytest.mark.parametrize("name", ["a", "a.txt", "part", "tmp.1", "a~17.txt", "a.txt.gz"])
def test_other_names_are_input(name: str) -> None:
    assert not is_temporary(name)
    assert not is_side_file(name)


@pytest.mark.parametrize(
    ("name", "compression"),
    [("a.gz", "gz"), ("a.txt.ZST", "zst"), ("a.txt", "none"), (".gz", "none"), ("gz", "none")],
)
def test_the_end_of_a_name_tells_the_compression(name: str, compression: str) -> None:
    assert compression_of(name) == compression


def test_alternatives_keep_the_end_of_the_name() -> None:
    expected = ["a.txt.gz", "a.txt~17.gz", "a.txt~17-2.gz", "a.txt~17-3.gz"]
    assert list(islice(alternatives("a.txt.gz", 17), 4)) == expected


def test_alternatives_of_the_longest_name_are_names_still_with_a_side_file() -> None:
    name = "ü" * 125 + ".txt"
    assert all(
        len((other + ".meta.json").encode()) <= 255
        for other in islice(alternatives(name, 10**12), 1, 20)
    )
