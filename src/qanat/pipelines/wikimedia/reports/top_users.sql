-- One row per user, the most pages first, equal ones by wiki, id and name.
with counted as (
    select
        wiki,
        who,
        min(domain) as domain,
        min(user_id) as user_id,
        min(user_name) as user_name,
        cast(
            sum(
                case cast($bots as text)
                    when 'include' then pages
                    when 'only' then bot_pages
                    else pages - bot_pages
                end
            ) as bigint
        ) as pages
    from user_hours
    where hour >= date_trunc('hour', cast($window_start as timestamptz))
        and hour < date_trunc('hour', cast($window_end as timestamptz))
    group by wiki, who
),

greatest_ones as (
    select wiki, who, domain, user_id, user_name, pages
    from counted
    where pages > 0
    order by pages desc, wiki, who
    limit $top
),

created as (
    select
        creations.wiki,
        creations.who,
        creations.page_title,
        creations.created_at,
        creations.event_id,
        row_number() over (
            partition by creations.wiki, creations.who
            order by creations.created_at, creations.page_title, creations.event_id
        ) as place
    from creations
    inner join greatest_ones
        on creations.wiki = greatest_ones.wiki
        and creations.who = greatest_ones.who
    where creations.created_at >= date_trunc('hour', cast($window_start as timestamptz))
        and creations.created_at < date_trunc('hour', cast($window_end as timestamptz))
        and (
            cast($bots as text) = 'include'
            or creations.is_bot = (cast($bots as text) = 'only')
        )
),

titles as (
    select
        wiki,
        who,
        string_agg(page_title, ' | ' order by place) as page_titles
    from created
    where place <= cast($titles_max as bigint)
    group by wiki, who
)

select
    row_number() over (
        order by greatest_ones.pages desc, greatest_ones.wiki, greatest_ones.who
    ) as place,
    greatest_ones.domain as domain,
    greatest_ones.wiki as wiki,
    greatest_ones.user_id as user_id,
    greatest_ones.user_name as user_name,
    greatest_ones.pages as pages,
    titles.page_titles as page_titles
from greatest_ones
left join titles
    on titles.wiki = greatest_ones.wiki
    and titles.who = greatest_ones.who
order by place
