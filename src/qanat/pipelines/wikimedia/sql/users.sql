-- One row per user: as the latest of the new creations tells.
select
    wiki,
    who,
    domain,
    user_id,
    user_name,
    is_bot,
    created_at as seen_at
from (
    select
        *,
        row_number() over (
            partition by wiki, who
            order by created_at desc, event_id desc
        ) as place
    from batch
    where who is not null
) as ranked
where place = 1
