-- One row per product, the greatest takings first.
select
    product,
    orders,
    pieces,
    cents
from products
where orders >= cast($least as bigint)
order by cents desc, product
