-- One row per product: what the new orders add to it.
select
    product,
    count(*) as orders,
    sum(pieces) as pieces,
    sum(cents) as cents
from batch
group by product
