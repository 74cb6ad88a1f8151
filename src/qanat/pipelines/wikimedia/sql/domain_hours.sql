-- One row per hour and domain: what the new creations add to it.
select
    tumble(created_at, '1 hour') as hour,
    domain,
    count(*) as pages,
    count_if(is_bot) as bot_pages,
    count_if(namespace = 0) as articles
from batch
group by tumble(created_at, '1 hour'), domain
