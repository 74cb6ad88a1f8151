-- One row per wiki that has a page of this number: how it was created last.
-- The limit keeps the choice of a wiki apart: DuckDB uses an index only for a condition that stands alone.
with found as (
    select
        wiki,
        domain,
        page_id,
        page_title,
        namespace,
        is_redirect,
        user_id,
        user_name,
        is_bot,
        created_at,
        revised_at,
        rev_id,
        event_id
    from creations
    where page_id = cast($page_id as bigint)
    limit 1000000
),

ranked as (
    select
        wiki,
        domain,
        page_id,
        page_title,
        namespace,
        is_redirect,
        user_id,
        user_name,
        is_bot,
        created_at,
        revised_at,
        rev_id,
        row_number() over (
            partition by wiki
            order by created_at desc, event_id desc
        ) as place
    from found
    where (cast($wiki as text) is null or wiki = cast($wiki as text))
        and (cast($domain as text) is null or domain = cast($domain as text))
)

select
    wiki,
    domain,
    page_id,
    page_title,
    namespace,
    is_redirect,
    user_id,
    user_name,
    is_bot,
    created_at,
    revised_at,
    rev_id
from ranked
where place = 1
order by wiki
