-- One row per page: its latest creation among the new ones.
select
    created_at,
    event_id,
    wiki,
    domain,
    page_id,
    page_title,
    namespace,
    is_redirect,
    rev_id,
    revised_at,
    user_id,
    user_name,
    is_bot,
    who
from (
    select
        *,
        row_number() over (
            partition by wiki, page_id
            order by created_at desc, event_id desc
        ) as place
    from batch
) as ranked
where place = 1
