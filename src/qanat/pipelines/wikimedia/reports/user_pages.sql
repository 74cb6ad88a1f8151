-- One row per page that a user created, the newest first: of the one with an id, and of those with a name.
-- The limit keeps the other conditions apart: DuckDB uses an index only for one that stands alone.
with found as (
    select *
    from creations
    where who in (
            select '#' || cast(cast($user_id as bigint) as text)
            union all
            select who
            from users
            where user_name = cast($user_name as text)
        )
    limit 1000000
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
where (cast($wiki as text) is null or wiki = cast($wiki as text))
    and (
        user_id = cast($user_id as bigint)
        or (wiki, who) in (
            select wiki, who
            from users
            where user_name = cast($user_name as text)
        )
    )
order by created_at desc, event_id
