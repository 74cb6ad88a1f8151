-- One row per order of a product, the newest first.
select
    ordered_at,
    order_id,
    pieces,
    cents
from orders
where product = cast($product as text)
order by ordered_at desc, order_id
