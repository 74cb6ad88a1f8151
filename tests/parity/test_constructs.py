"""What isn't a function returns the same on both engines as well: joins, groups, windows, orders, casts."""

from datetime import UTC, datetime

import pytest

from qanat.interfaces import Scalar
from qanat.sql import check, load_sql
from qanat.tables import ColumnType
from tests.parity.conftest import Engines
from tests.parity.rows import generated
from tests.parity.test_functions import COLUMNS

pytestmark = [pytest.mark.parity, pytest.mark.xdist_group("spark")]

PARAMETERS = {
    "start": ColumnType.TIMESTAMP,
    "end": ColumnType.TIMESTAMP,
    "wiki": ColumnType.TEXT,
    "limit": ColumnType.INT64,
}
VALUES: dict[str, Scalar] = {
    "start": datetime(2026, 3, 29, tzinfo=UTC),
    "end": datetime(2026, 3, 29, 3, tzinfo=UTC),
    "wiki": "it's \\ é",
    "limit": 3,
}

STATEMENTS = {
    "values": """
        select
            page_id, - namespace as a, (namespace + 3) * 2 - 1 as b, namespace % 3 as c, -7 % 3 as c2, share / 2 as d,
            share / nullif(share, 0) as e, big + pages as f, big - big as g, page_title || '|' || wiki as h,
            cast(namespace as text) as i, cast(big as double) as j, cast(user_id as double) as k,
            cast(is_bot as bigint) as l, 1.5 as m, 'back\\slash ''quoted'' {0} ${x}' as n, null is null as o,
            cast(big as text) as p, cast($wiki as text) as q, $limit as r, share * namespace as s,
            cast(page_id as numeric(38, 0)) as t
        from batch
    """,
    "logic": """
        select
            page_id, is_bot and share > 0 as a, is_bot or share > 0 as b, not is_bot as c, is_bot is true as d,
            share between -1 and namespace as e, page_title in ('a', 'ß', '') as f, page_title not in ('a', 'b') as g,
            user_id is not distinct from page_id as h, user_id is distinct from namespace as i, page_title like 'a%' as j,
            page_title like '%_\u0308' as k, page_title < domain as l, share >= namespace as m, created_at < revised_at as n,
            coalesce(user_id, page_id, 0) as o, nullif(namespace, 1) as p, greatest(user_id, namespace, 5) as q,
            least(page_title, domain) as r, greatest(created_at, revised_at) as s, share = share as t, big > namespace as u,
            case when is_bot then 'bot' when share > 0 then page_title else wiki end as v,
            case namespace when 0 then 1 when 1 then 2.5 end as w, case when is_bot then null else page_id end as x
        from batch
    """,
    "moments": """
        select
            created_at + interval '1 hour' as a, created_at - interval '90 seconds' as b, created_at + interval '1 month' as c,
            created_at - interval '1 year' as d, created_at + interval '1 day' as e, created_at + interval 2 week as e2,
            created_at - revised_at <= interval '120 days' as f, extract(epoch from created_at - revised_at) as g,
            created_at >= cast($start as timestamptz) as h, created_at + interval '13 months' as i
        from batch
    """,
    "groups": """
        select
            namespace, is_bot, count(*) as n, sum(pages) as total, sum(case when share > 0 then 1 else 0 end) as positive,
            max(page_title) as last_title, count(*) filter (where share < 0 and user_id is not null) as negative,
            string_agg(page_title, ', ' order by page_title desc nulls last) as titles
        from batch
        where wiki is not null
        group by namespace, is_bot
        having count(*) > 1 and (sum(pages) is null or sum(pages) <> 5)
    """,
    "group by expressions": """
        select tumble(created_at, '1 day') as day, namespace + 1 as next, count(distinct wiki) as wikis, min(share) as least
        from batch group by tumble(created_at, '1 day'), namespace + 1
    """,
    "distinct": "select distinct share, is_bot, namespace from batch",
    "order": """
        select page_id, share, page_title from batch
        order by share desc nulls first, page_title nulls last, is_bot nulls first, created_at nulls last, id
        limit 200 offset 7
    """,
    "order by results": """
        select wiki, count(*) as n from batch where wiki is not null group by wiki order by n desc, wiki limit $limit
    """,
    "windows": """
        select
            id, row_number() over (order by created_at nulls last, id) as a,
            rank() over (partition by wiki order by namespace desc nulls last) as b,
            dense_rank() over (order by share nulls first) as c,
            lag(namespace) over (partition by is_bot order by namespace nulls last, id) as d,
            lead(share) over (order by share nulls last, id desc) as e,
            sum(pages) over (partition by wiki) as f, count(*) over (order by namespace nulls first) as g,
            max(page_title) over (partition by namespace order by page_title nulls last) as h,
            min(pages) over (order by id rows between 2 preceding and current row) as i,
            count(user_id) over (partition by is_bot) as j,
            sum(namespace) over (order by id rows between unbounded preceding and 1 following) as k
        from batch
    """,
    "joins": """
        with bots as (select wiki, count(*) as n from batch where is_bot group by wiki),
        titles as (select page_title, max(namespace) as namespace from batch group by page_title)
        select b.page_id, bots.n, t.namespace, other.page_id as other
        from batch as b
        join bots on bots.wiki = b.wiki
        left join titles as t on t.page_title = b.page_title and t.namespace > 0
        cross join (select max(page_id) as page_id from batch) as other
    """,
    "subqueries": """
        select page_id, (select max(user_id) from batch) as greatest_user
        from batch as b
        where exists (select 1 as one from batch as i where i.wiki = b.wiki and i.is_bot)
            and namespace in (select namespace from batch where share > 0)
            and page_id not in (select namespace from batch where namespace is not null)
    """,
    "correlated": """
        with ends as (select namespace, max(created_at) as until from batch where namespace is not null group by namespace)
        select e.namespace, (
            select sum(b.pages) from batch as b where b.created_at <= e.until and b.namespace < e.namespace
        ) as before
        from ends as e
    """,
    "unions": """
        select wiki, namespace as number from batch where is_bot
        union all (select page_title, share from batch where not is_bot)
        union all select cast(null as text) as wiki, 2 as number
    """,
    "union distinct": "select wiki as a from batch union select page_title from batch order by a nulls first",
    "series": """
        select h.hour, coalesce(b.n, 0) as n
        from generate_series($start, $end, interval '1 hour') as h(hour)
        left join (
            select tumble(created_at, '1 hour') as hour, count(*) as n from batch group by tumble(created_at, '1 hour')
        ) as b on b.hour = h.hour
        order by h.hour
    """,
    "series of nothing": "select h.hour from generate_series($end, $start, interval '1 hour') as h(hour)",
    "hops": """
        select h.window_start, h.window_end, count(*) as n, max(h.page_id) as page
        from hop(batch, created_at, '6 hours', '2 hours') as h
        group by h.window_start, h.window_end
    """,
    "hops of ctes": """
        with bots as (select created_at as at, page_id from batch where is_bot)
        select page_id, window_start from hop(bots, at, '1 day', '1 day') as h
    """,
}  # fmt: skip
ORDERED = {"order", "order by results", "union distinct", "series"}


@pytest.mark.parametrize("name", STATEMENTS)
def test_construct(name: str, engines: Engines) -> None:
    checked = check(load_sql(STATEMENTS[name]), {"batch": COLUMNS}, parameters=PARAMETERS)
    rows = generated(COLUMNS, 150, seed=7)
    for relation in (rows, rows.slice(0, 0)):
        engines.agree(checked, {"batch": relation}, VALUES, ordered=name in ORDERED)
