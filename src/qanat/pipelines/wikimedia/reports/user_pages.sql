-- One row per page that the user with this number created, the newest first.
select
    wiki,
    domain,
    user_id,
    user_name,
    page_id,
    page_title,
    namespace,
    is_redirect,
    created_at,
    event_id
from creations
where user_id = cast($user_id as bigint)
    and (cast($wiki as text) is null or wiki = cast($wiki as text))
order by created_at desc, event_id
