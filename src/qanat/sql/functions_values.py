"""Functions of single values."""

import re

from qanat.sql.functions import TEXT, Argument, Function
from qanat.sql.typed import NUMBERS, Kind, Texts, Typed, string_text, templated
from qanat.tables import ColumnType

_FLOAT: frozenset[Kind] = frozenset({ColumnType.FLOAT64})
_HASHED: frozenset[Kind] = frozenset(
    {ColumnType.INT64, ColumnType.TEXT, ColumnType.BOOLEAN, ColumnType.TIMESTAMP}
)
_PATH = re.compile(r"\$(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])+")

# Beyond it every double is whole; it and its neighbours are far from what an int64 holds.
_WHOLE = "4503599627370496"


def _path(written: str) -> str:
    if not _PATH.fullmatch(written):
        raise ValueError("a path such as '$.meta.domain' or '$.items[0]'")
    return f"'{written}'"


def _int64(written: str) -> str:
    if written != "int64":
        raise ValueError("'int64'")
    return ""


_CANONICAL_TEXTS: dict[Kind, Texts] = {
    ColumnType.TEXT: {"duckdb": "{0}", "spark": "{0}"},
    ColumnType.INT64: {"duckdb": "cast({0} as varchar)", "spark": "cast({0} as string)"},
    ColumnType.BOOLEAN: {"duckdb": "cast({0} as varchar)", "spark": "cast({0} as string)"},
    ColumnType.TIMESTAMP: {
        "duckdb": "cast(epoch_us({0}) as varchar)",
        "spark": "cast(unix_micros({0}) as string)",
    },
}


def _hashed(value: Typed) -> Texts:
    """Return the text of one value in a key: type, length and itself, so that no two lists of values have one text."""
    if value.kind not in _CANONICAL_TEXTS:
        return string_text("n")
    text = templated(_CANONICAL_TEXTS[value.kind], (value.text,))
    letter = str(value.kind)[0]
    return templated(
        {
            "duckdb": f"coalesce('{letter}' || cast(length({{0}}) as varchar) || ':' || {{0}}, 'n')",
            "spark": f"coalesce('{letter}' || cast(char_length({{0}}) as string) || ':' || {{0}}, 'n')",
        },
        (text,),
    )


_JSON_WANTED = "'VARCHAR', 'BOOLEAN'"

VALUES = (
    Function(
        "json_get",
        "What is at a path of a JSON text, as text: a string without its quotes, a whole number of 64 bits, `true` or `false`. "
        "Null for everything else: nothing there, null, objects, lists, fractions, text that isn't JSON. Names in an object "
        "have to be unique.",
        "json_get(data, '$.meta.domain')",
        (Argument("text", TEXT), Argument("'path'", TEXT, _path)),
        ColumnType.TEXT,
        "case when not json_valid({0}) then null"
        f" when json_type({{0}}, {{1}}) in ({_JSON_WANTED}) then json_extract_string({{0}}, {{1}})"
        " when json_type({0}, {1}) in ('BIGINT', 'UBIGINT')"
        " then cast(try_cast(json_extract_string({0}, {1}) as bigint) as varchar) end",
        "case when schema_of_variant(try_variant_get(try_parse_json({0}), {1}, 'variant'))"
        " in ('STRING', 'BOOLEAN', 'BIGINT')"
        " then try_variant_get(try_parse_json({0}), {1}, 'string') end",
        nullable=True,
    ),
    Function(
        "parse_integer",
        "The whole number that a text of decimal digits is, perhaps with `-` before them; null for any other text, and for more "
        "than 18 digits.",
        "parse_integer(domain)",
        (Argument("text", TEXT),),
        ColumnType.INT64,
        "case when regexp_full_match({0}, '-?[0-9]{{1,18}}') then cast({0} as bigint) end",
        "case when {0} rlike '^-?[0-9]{{1,18}}\\\\z' then cast({0} as bigint) end",
        nullable=True,
    ),
    Function(
        "cast_rounded",
        "The whole number nearest to a fraction; halves go away from zero: 2.5 to 3, -2.5 to -3. Null where it isn't a number "
        "(NaN), or isn't less than 2^62 in size.",
        "cast_rounded(share, 'int64')",
        (Argument("number", _FLOAT), Argument("'type'", TEXT, _int64)),
        ColumnType.INT64,
        "case when abs({0}) < "
        + _WHOLE
        + " then cast(sign({0}) as bigint) * (cast(floor(abs({0})) as bigint)"
        " + cast(abs({0}) - floor(abs({0})) >= 0.5 as bigint))"
        " when abs({0}) < 4611686018427387904 then cast({0} as bigint) end",
        "case when abs({0}) < " + _WHOLE + "D then cast(sign({0}) as bigint) * (floor(abs({0}))"
        " + cast(abs({0}) - floor(abs({0})) >= 0.5D as bigint))"
        " when abs({0}) < 4611686018427387904D then cast({0} as bigint) end",
        nullable=True,
    ),
    Function(
        "safe_divide",
        "The quotient as a fraction (float64); null where the divisor is 0.",
        "safe_divide(pages, namespace)",
        (Argument("dividend", NUMBERS), Argument("divisor", NUMBERS)),
        ColumnType.FLOAT64,
        "(cast({0} as double) / nullif(cast({1} as double), 0))",
        "(cast({0} as double) / nullif(cast({1} as double), 0))",
        nullable=True,
    ),
    Function(
        "hash_key",
        "64 bits that stand for the values together, the same in every run: the first half of the MD5 of a text in which each "
        "value has its type and length. Nulls are values. Two lists of different values share a key once in 2^64 at random; "
        "nobody is kept from making such lists on purpose.",
        "hash_key(wiki, page_id)",
        (Argument("value", _HASHED),),
        ColumnType.INT64,
        "cast(case when substr(md5({0}), 1, 1) < '8'"
        " then cast(cast('0x' || substr(md5({0}), 1, 16) as ubigint) as hugeint)"
        " else cast(cast('0x' || substr(md5({0}), 1, 16) as ubigint) as hugeint) - 18446744073709551616 end as bigint)",
        "cast(conv(substr(md5({0}), 1, 16), 16, -10) as bigint)",
        nullable=False,
        repeats=True,
        compose=_hashed,
    ),
)
"""Those with a meaning of ours, in the order of the documentation."""


def _plain(
    name: str,
    meaning: str,
    example: str,
    takes: tuple[frozenset[Kind], ...],
    gives: ColumnType | int,
    texts: tuple[str, str],
) -> Function:
    arguments = tuple(Argument("value", kinds) for kinds in takes)
    return Function(name, meaning, example, arguments, gives, *texts, canonical=False)


_FLOORED = "case when abs({{0}}) < " + _WHOLE + "D then cast({}({{0}}) as double) else {{0}} end"

PLAIN_VALUES = (
    _plain(
        "abs",
        "Without its sign.",
        "abs(page_id)",
        (NUMBERS,),
        0,
        ("abs({0})", "abs({0})"),
    ),
    _plain(
        "floor",
        "The next whole number downwards, still a fraction's type.",
        "floor(share)",
        (_FLOAT,),
        0,
        ("floor({0})", _FLOORED.format("floor")),
    ),
    _plain(
        "ceil",
        "The next whole number upwards, still a fraction's type.",
        "ceil(share)",
        (_FLOAT,),
        0,
        ("ceil({0})", _FLOORED.format("ceil")),
    ),
    _plain(
        "length",
        "The number of Unicode code points.",
        "length(page_title)",
        (TEXT,),
        ColumnType.INT64,
        ("length({0})", "cast(char_length({0}) as bigint)"),
    ),
    _plain(
        "starts_with",
        "Whether the text begins with the other one.",
        "starts_with(page_title, 'A')",
        (TEXT, TEXT),
        ColumnType.BOOLEAN,
        ("starts_with({0}, {1})", "startswith({0}, {1})"),
    ),
)
"""Those that mean what everybody takes them to mean, and are written differently only inside."""
