-- One row per period: everything used in it. Finer usage is added up to the step; what is kept
-- coarser stays one row of its own length, and takes along the finer rows that lie in it. A period
-- that reaches into the bounds counts as a whole.
with sums as (
    select period_start, granularity, cast(sum(amount) as numeric(38, 0)) as amount
    from usage
    where granularity in ('hour', 'day', 'month')
        and (cast($consumer as bigint) is null or consumer = cast($consumer as bigint))
        and (
            cast($since as timestamptz) is null
            or period_start >= date_trunc(granularity, cast($since as timestamptz))
        )
        and (
            cast($until as timestamptz) is null
            or period_start < cast($until as timestamptz)
        )
    group by period_start, granularity
),

chosen as (
    select case
        when cast($step as text) <> 'auto' then cast($step as text)
        when max(period_start) - min(period_start) <= interval '3 days' then 'hour'
        when max(period_start) - min(period_start) <= interval '120 days' then 'day'
        else 'month'
    end as step
    from sums
),

marked as (
    select
        period_start,
        amount,
        step,
        max(case granularity when 'month' then 1 else 0 end)
            over (partition by date_trunc('month', period_start)) as in_month,
        max(case granularity when 'day' then 1 else 0 end)
            over (partition by date_trunc('day', period_start)) as in_day
    from sums
    cross join chosen
),

lengths as (
    select
        period_start,
        amount,
        case
            when in_month = 1 or step = 'month' then 'month'
            when in_day = 1 or step = 'day' then 'day'
            else 'hour'
        end as granularity
    from marked
),

periods as (
    select
        date_trunc(granularity, period_start) as period_start,
        granularity,
        cast(sum(amount) as numeric(38, 0)) as amount
    from lengths
    group by date_trunc(granularity, period_start), granularity
),

ended as (
    select
        period_start,
        case granularity
            when 'hour' then period_start + interval '1 hour'
            when 'day' then period_start + interval '1 day'
            else period_start + interval '1 month'
        end as period_end,
        granularity,
        amount
    from periods
)

select
    period_start,
    period_end,
    granularity,
    amount,
    floor(
        86400 * cast(amount as double precision)
        / nullif(cast(extract(epoch from period_end - period_start) as double precision), 0)
        + 0.5
    ) as per_day,
    period_end <= cast($now as timestamptz) as complete
from ended
order by period_start
