-- One row per user: what the new creations add. Whoever is known already keeps the name.
select
    wiki,
    who,
    min(domain) as domain,
    min(user_id) as user_id,
    min(user_name) as user_name,
    count(*) as pages,
    count_if(is_bot) as bot_pages
from batch
where who is not null
group by wiki, who
