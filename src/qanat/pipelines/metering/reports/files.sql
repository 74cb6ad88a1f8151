-- One row per period in which files arrived: what became of them, how much was in them. A period that
-- reaches into the bounds counts as a whole.
with arrived as (
    select
        date_trunc(cast($step as text), registered_at) as period_start,
        state,
        size,
        lines_good,
        lines_bad
    from files
    where (
            cast($since as timestamptz) is null
            or registered_at >= date_trunc(cast($step as text), cast($since as timestamptz))
        )
        and (
            cast($until as timestamptz) is null
            or date_trunc(cast($step as text), registered_at) < cast($until as timestamptz)
        )
)

select
    period_start,
    case cast($step as text)
        when 'hour' then period_start + interval '1 hour'
        when 'day' then period_start + interval '1 day'
        else period_start + interval '1 month'
    end as period_end,
    count(*) as files,
    count(*) filter (where state = 'counted') as counted,
    count(*) filter (where state = 'registered') as waiting,
    count(*) filter (where state = 'held') as held,
    count(*) filter (where state = 'failed') as failed,
    count(*) filter (where state = 'undone') as undone,
    cast(sum(size) as numeric(38, 0)) as bytes,
    cast(coalesce(sum(lines_good), 0) as numeric(38, 0)) as lines_good,
    cast(coalesce(sum(lines_bad), 0) as numeric(38, 0)) as lines_bad
from arrived
group by period_start
order by period_start nulls last
