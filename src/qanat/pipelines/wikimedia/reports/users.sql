-- One row per user who created pages from `since` on and before `until`, the most first, equal ones by wiki, id and name.
-- Without bounds the totals answer; else whole hours count as such, and the creations tell what is left at both ends.
with parts as (
    select wiki, who, domain, user_id, user_name, pages, bot_pages
    from user_hours
    where (cast($since as timestamptz) is not null or cast($until as timestamptz) is not null)
        and (
            cast($since as timestamptz) is null
            or hour >= cast($since as timestamptz)
        )
        and (
            cast($until as timestamptz) is null
            or hour < date_trunc('hour', cast($until as timestamptz))
        )
    union all
    -- From `since` to the end of its hour.
    select
        wiki,
        who,
        domain,
        user_id,
        user_name,
        1 as pages,
        case when is_bot then 1 else 0 end as bot_pages
    from creations
    where who is not null
        and created_at >= cast($since as timestamptz)
        and created_at < least(
            date_trunc('hour', cast($since as timestamptz) + interval '3599.999999 seconds'),
            cast($until as timestamptz)
        )
    union all
    -- From the beginning of the last hour to `until`, unless `since` lies in the same.
    select
        wiki,
        who,
        domain,
        user_id,
        user_name,
        1 as pages,
        case when is_bot then 1 else 0 end as bot_pages
    from creations
    where who is not null
        and created_at < cast($until as timestamptz)
        and created_at >= greatest(
            date_trunc('hour', cast($until as timestamptz)),
            date_trunc('hour', cast($since as timestamptz) + interval '3599.999999 seconds')
        )
),

counted as (
    select
        wiki,
        min(domain) as domain,
        min(user_id) as user_id,
        min(user_name) as user_name,
        cast(sum(pages) as bigint) as pages,
        cast(sum(bot_pages) as bigint) as bot_pages,
        who
    from parts
    where cast($wiki as text) is null
        or wiki = cast($wiki as text)
    group by wiki, who
    union all
    select wiki, domain, user_id, user_name, pages, bot_pages, who
    from users
    where cast($since as timestamptz) is null
        and cast($until as timestamptz) is null
        and (cast($wiki as text) is null or wiki = cast($wiki as text))
)

select
    wiki,
    domain,
    user_id,
    user_name,
    pages,
    bot_pages
from counted
order by pages desc, wiki, who
