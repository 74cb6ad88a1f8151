-- One row per page that the user with this number created, the newest first.
-- What is read of all creations is narrow; the page's rows are then found by the index of pages, which DuckDB uses only for a
-- condition that stands alone: hence the limit.
with chosen as (
    select page_id
    from creations
    where user_id = cast($user_id as bigint)
        and (cast($wiki as text) is null or wiki = cast($wiki as text))
    order by created_at desc, event_id
    limit $page_end
),

found as (
    select
        wiki,
        domain,
        user_id,
        user_name,
        page_id,
        page_title,
        namespace,
        is_redirect,
        created_at,
        event_id
    from creations
    where page_id in (select chosen.page_id from chosen)
    limit 1000000000
)

select
    wiki,
    domain,
    user_id,
    user_name,
    page_id,
    page_title,
    namespace,
    is_redirect,
    created_at,
    event_id
from found
where user_id = cast($user_id as bigint)
    and (cast($wiki as text) is null or wiki = cast($wiki as text))
order by created_at desc, event_id
