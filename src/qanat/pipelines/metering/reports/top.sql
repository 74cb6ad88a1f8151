-- One row per consumer, the greatest amounts first, equal ones by number. Without bounds the totals
-- answer; with bounds the usage of every kept period that reaches into them, as a whole.
with kept as (
    select consumer, amount
    from totals
    where cast($since as timestamptz) is null
        and cast($until as timestamptz) is null
    union all
    select consumer, amount
    from usage
    where (cast($since as timestamptz) is not null or cast($until as timestamptz) is not null)
        and granularity in ('hour', 'day', 'month')
        and (
            cast($since as timestamptz) is null
            or period_start >= date_trunc(granularity, cast($since as timestamptz))
        )
        and (
            cast($until as timestamptz) is null
            or period_start < cast($until as timestamptz)
        )
),

sums as (
    select consumer, cast(sum(amount) as numeric(38, 0)) as amount
    from kept
    group by consumer
),

greatest_ones as (
    select consumer, amount
    from sums
    order by amount desc, consumer
    limit $limit
)

select
    row_number() over (order by amount desc, consumer) as place,
    consumer,
    amount,
    floor(
        10000 * cast(amount as double precision)
        / nullif(greatest((select cast(sum(amount) as double precision) from sums), 0), 0)
        + 0.5
    ) / 10000 as share
from greatest_ones
order by place
