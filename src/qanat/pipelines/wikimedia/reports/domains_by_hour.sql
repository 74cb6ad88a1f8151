-- One row per hour and domain in which pages were created; an hour without any has one row without a domain.
with hours as (
    select date_trunc('hour', cast($window_start as timestamptz)) + number * interval '1 hour' as hour
    from (values (0), (1), (2), (3), (4), (5)) as numbers (number)
)

select
    hours.hour as hour_start,
    hours.hour + interval '1 hour' as hour_end,
    counted.domain as domain,
    coalesce(counted.pages, 0) as pages
from hours
left join domain_hours as counted
    on counted.hour = hours.hour
where hours.hour < date_trunc('hour', cast($window_end as timestamptz))
order by hour_start nulls last, coalesce(counted.pages, 0) desc, domain nulls last
