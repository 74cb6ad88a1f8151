-- One row per hour and user: what the new creations add. Whoever came before in the hour keeps the name.
select
    tumble(created_at, '1 hour') as hour,
    wiki,
    who,
    min(domain) as domain,
    min(user_id) as user_id,
    min(user_name) as user_name,
    count(*) as pages,
    count_if(is_bot) as bot_pages
from batch
where who is not null
group by tumble(created_at, '1 hour'), wiki, who
