-- One row per domain: what the new creations add to it.
select
    domain,
    count(*) as pages,
    count_if(is_bot) as bot_pages,
    count_if(namespace = 0) as articles
from batch
group by domain
