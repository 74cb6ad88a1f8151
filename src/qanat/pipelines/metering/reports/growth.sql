-- One row per period: how usage, consumers and files grew in it. The periods are those of the report
-- of usage. A change compares amounts per day with the period right before, and is null where one of
-- the two isn't complete: the last one goes on, and the first one began in its midst.
with sums as (
    select period_start, granularity, cast(sum(amount) as numeric(38, 0)) as amount
    from usage
    where granularity in ('hour', 'day', 'month')
    group by period_start, granularity
),

chosen as (
    select case
        when cast($step as text) <> 'auto' then cast($step as text)
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
            over (partition by date_trunc('month', period_start)) as in_month
    from sums
    cross join chosen
),

lengths as (
    select
        period_start,
        amount,
        case when in_month = 1 or step = 'month' then 'month' else 'day' end as granularity
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
            when 'day' then period_start + interval '1 day'
            else period_start + interval '1 month'
        end as period_end,
        granularity,
        amount
    from periods
),

rated as (
    select
        period_start,
        period_end,
        granularity,
        amount,
        86400 * cast(amount as double precision)
        / nullif(cast(extract(epoch from period_end - period_start) as double precision), 0) as rate,
        period_end <= cast($now as timestamptz)
        and period_start > (select min(period_start) from ended) as complete
    from ended
),

compared as (
    select
        period_start,
        period_end,
        granularity,
        amount,
        rate,
        complete,
        case when complete
            and lag(complete) over (order by period_start)
            and lag(period_end) over (order by period_start) = period_start
            then lag(rate) over (order by period_start)
        end as rate_before
    from rated
),

firsts as (
    select first_at, count(*) as consumers
    from (
        select consumer, min(period_start) as first_at
        from usage
        where granularity in ('hour', 'day', 'month')
        group by consumer
    ) as begun
    group by first_at
),

arrivals as (
    select date_trunc('hour', registered_at) as arrived_at, count(*) as files
    from files
    where state = 'counted'
    group by date_trunc('hour', registered_at)
)

select
    period_start,
    period_end,
    granularity,
    amount,
    floor(rate + 0.5) as per_day,
    floor(10000 * (rate / nullif(greatest(rate_before, 0), 0) - 1) + 0.5) / 10000 as change,
    cast(coalesce((
        select sum(consumers)
        from firsts
        where first_at >= period_start and first_at < period_end
    ), 0) as bigint) as new_consumers,
    cast(coalesce((
        select sum(files)
        from arrivals
        where arrived_at >= period_start and arrived_at < period_end
    ), 0) as bigint) as new_files,
    complete
from compared
where (cast($since as timestamptz) is null or period_end > cast($since as timestamptz))
    and (cast($until as timestamptz) is null or period_start < cast($until as timestamptz))
order by period_start
