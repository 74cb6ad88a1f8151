"""What isn't accepted says so, where it stands, and what to write instead."""

import pytest

from qanat.sql import SqlError, check, load_sql
from qanat.sql.catalogue import EXAMPLES, FUNCTIONS
from qanat.sql.refusals import FUNCTIONS as REFUSED
from qanat.sql.refusals import UNREPEATABLE
from qanat.tables import Column, ColumnType, Table

INPUTS = {
    "batch": EXAMPLES,
    "sums": (Column("wiki", ColumnType.TEXT), Column("total", ColumnType.INT128)),
}
PARAMETERS = {"since": ColumnType.TIMESTAMP, "top": ColumnType.INT64}

WRONG = [
    # Names
    ("select page_titel from batch", "Did you mean 'page_title'", 1, 8),
    ("select wiki\nfrom bacth", "Did you mean 'batch'", 2, 6),
    ("select\n  b.wiki as w,\n  c.domain\nfrom batch as b", "no table 'c'", 3, 3),
    ("select wiki from batch as b join sums as s on s.wiki = b.wiki", "b and of s", 1, 8),
    ("select tumbel(created_at, '1 hour') as t from batch", "Did you mean 'tumble'", 1, 8),
    ("select wiki from batch where created_at > $sinse", "no parameter $sinse", 1, 43),
    ("select wiki as a, domain as a from batch", "two columns are called 'a'", 1, 19),
    ("select 'é😀' as t, page_titel from batch", "page_titel", 1, 19),
    ("with a as (select wiki from batch) select domain from a", "no column 'domain' in a", 1, 43),
    # Grammar
    ("select wiki from batch where", "not valid SQL", 1, 24),
    ("select wiki from batch; select wiki from batch", "2 statements", 1, 1),
    ("delete from batch", "not a query", 1, 1),
    ("", "0 statements", 1, 1),
    # Types
    ("select wiki || page_id as x from batch", "page_id is int64", 1, 16),
    ("select wiki from batch where page_id", "has to be boolean", 1, 30),
    ("select wiki from batch where page_id = wiki", "is text", 1, 30),
    ("select case when is_bot then 1 else wiki end as x from batch", "one type", 1, 18),
    ("select coalesce(wiki, page_id) as x from batch", "one type", 1, 8),
    ("select created_at + 1 as x from batch", "has no meaning", 1, 8),
    ("select tumble(wiki, '1 hour') as x from batch", "not timestamp", 1, 15),
    ("select tumble(created_at, '1 fortnight') as x from batch", "fortnight", 1, 27),
    ("select tumble(created_at, wiki) as x from batch", "written out", 1, 27),
    ("select json_get(data, 'meta') as x from batch", "$.meta.domain", 1, 23),
    ("select tumble(created_at) as x from batch", "tumble(moment, 'span')", 1, 8),
    ("select wiki from batch where user_id = null", "is null", 1, 30),
    ("select $top as x, cast($top as text) as y from batch", "$top is int64", 1, 24),
    # Groups
    ("select wiki, count(*) as n from batch", "neither grouped", 1, 8),
    ("select wiki, domain, count(*) as n from batch group by wiki", "neither grouped", 1, 14),
    ("select wiki from batch where count(*) > 1", "can't stand in `where`", 1, 30),
    ("select sum(count(*)) as x from batch", "in another one", 1, 12),
    ("select wiki from batch group by all", "group by all", 1, 8),
    ("select wiki from batch group by 1", "Name the column", 1, 33),
    # Known to differ, or not known to be equal
    ("select * from batch", "changes its meaning", 1, 8),
    ("select b.* from batch as b", "changes its meaning", 1, 8),
    ("select page_id / 2 as x from batch", "safe_divide", 1, 8),
    ("select share / page_id as x from batch", "may be 0", 1, 8),
    ("select page_id // 2 as x from batch", "safe_divide", 1, 8),
    ("select page_id % namespace as x from batch", "remainder by 0", 1, 8),
    ("select cast(share as bigint) as x from batch", "cast_rounded", 1, 13),
    ("select cast(wiki as bigint) as x from batch", "parse_integer", 1, 13),
    ("select cast(wiki as timestamptz) as x from batch", "parse_time", 1, 13),
    ("select cast(created_at as text) as x from batch", "moments differently", 1, 13),
    ("select cast(page_id as integer) as x from batch", "bigint", 1, 13),
    ("select cast(page_id as decimal(10, 2)) as x from batch", "bigint", 1, 13),
    ("select try_cast(wiki as bigint) as x from batch", "parse_integer", 1, 17),
    ("select wiki from batch order by user_id", "nulls first", 1, 33),
    ("select row_number() over (order by user_id) as x from batch", "nulls first", 1, 36),
    ("select row_number() over () as x from batch", "needs an order", 1, 8),
    ("select lag(wiki) as x from batch", "needs a window", 1, 8),
    ("select wiki from batch limit 3", "order by", 1, 30),
    ("select current_timestamp as x", "done again", 1, 8),
    ("select wiki ilike 'a' as x from batch", "letters such as", 1, 8),
    ("select wiki like domain as x from batch", "written out", 1, 8),
    ("select wiki like 'a\\' as x from batch", "backslashes", 1, 8),
    ("select wiki similar to 'a' as x from batch", "regular expressions", 1, 8),
    ("select data->>'a' as x from batch", "json_get", 1, 8),
    ("select extract(hour from created_at) as x from batch", "truncate_time", 1, 26),
    ("select extract(epoch from created_at) as x from batch", "time_difference", 1, 27),
    ("select [1, 2] as x from batch", "list", 1, 9),
    ("select distinct on (wiki) wiki, domain from batch", "latest_by", 1, 21),
    ("select wiki from batch qualify true", "qualify", 1, 8),
    ("select wiki from batch join sums using (wiki)", "on a.key", 1, 29),
    ("select b.wiki from batch as b full join sums as s on s.wiki = b.wiki", "full join", 1, 41),
    ("select wiki from batch except select wiki from sums", "except isn't accepted", 1, 8),
    ("with recursive a as (select 1 as n) select n from a", "recursive", 1, 16),
    ("select string_agg(wiki, ', ') as x from batch", "needs an order", 1, 8),
    ("select count(*) filter (where is_bot) over () as x from batch", "filter with a window", 1, 8),
    ("select sum(share) as x from batch", "int128 or int64", 1, 12),
    ("select wiki from batch tablesample 10%", "", 1, 18),
]  # fmt: skip


@pytest.mark.parametrize(("text", "word", "line", "column"), WRONG, ids=[each[0] for each in WRONG])
def test_refused(text: str, word: str, line: int, column: int) -> None:
    """The word stands in the message or its hint; the place is where the fault is."""
    with pytest.raises(SqlError) as caught:
        check(load_sql(text), INPUTS, parameters=PARAMETERS)
    assert word in str(caught.value)
    assert (line, column) == (caught.value.line, caught.value.column)


@pytest.mark.parametrize("name", [*REFUSED, *UNREPEATABLE])
def test_refused_function(name: str) -> None:
    """Each function that is known to differ is refused by name, with another way."""
    with pytest.raises(SqlError) as caught:
        check(load_sql(f"select {name}(wiki) as x from batch"), INPUTS)
    why, instead = {**REFUSED, **UNREPEATABLE}[name]
    assert caught.value.got == f"{name} isn't accepted: {why}"
    assert instead in caught.value.hint


def test_nothing_is_refused_and_there() -> None:
    assert not {*REFUSED, *UNREPEATABLE} & set(FUNCTIONS)


TARGET = Table(
    "target",
    (
        Column("wiki", ColumnType.TEXT),
        Column("user_id", ColumnType.INT64, nullable=True),
        Column("total", ColumnType.INT128, nullable=True),
        Column("pages", ColumnType.INT64),
    ),
)

UNFIT = [
    ("select wiki, pages, domain from batch", "no column 'domain'", 1, 21),
    ("select wiki from batch", "the columns pages of target are missing", 1, 1),
    ("select domain as wiki, wiki as pages from batch", "target.pages is int64", 1, 24),
    ("select wiki, user_id as pages from batch", "can't be null", 1, 14),
    ("select wiki, pages, sum(pages) as user_id from batch group by wiki, pages", "user_id is int64", 1, 21),
]  # fmt: skip


@pytest.mark.parametrize(("text", "word", "line", "column"), UNFIT)
def test_unfit(text: str, word: str, line: int, column: int) -> None:
    """The result has to fit the table that it is written to."""
    with pytest.raises(SqlError) as caught:
        check(load_sql(text), INPUTS, TARGET)
    assert word in str(caught.value)
    assert (line, column) == (caught.value.line, caught.value.column)


def test_fits() -> None:
    """What may be null may be missing, an int64 fits an int128, null has the type of its column."""
    text = "select wiki, page_id as pages, pages as total, null as user_id from batch"
    checked = check(load_sql(text), INPUTS, TARGET)
    assert [column.type for column in checked.columns] == [
        ColumnType.TEXT,
        ColumnType.INT64,
        ColumnType.INT64,
        ColumnType.INT64,
    ]
    where = "select wiki, user_id as pages from batch where user_id is not null and is_bot"
    assert not check(load_sql(where), INPUTS, TARGET).columns[1].nullable
