-- One row per hour and user: what the new creations add to it.
select
    tumble(created_at, '1 hour') as hour,
    wiki,
    who,
    count(*) as pages,
    count_if(is_bot) as bot_pages
from batch
where who is not null
group by tumble(created_at, '1 hour'), wiki, who
