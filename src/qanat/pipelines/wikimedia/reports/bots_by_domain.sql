-- One row per domain in which bots created pages, the most first, equal ones by name.
select
    domain,
    cast(sum(bot_pages) as bigint) as bot_pages
from domain_hours
where hour >= date_trunc('hour', cast($window_start as timestamptz))
    and hour < date_trunc('hour', cast($window_end as timestamptz))
group by domain
having sum(bot_pages) > 0
order by bot_pages desc, domain
