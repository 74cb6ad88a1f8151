-- One row per page that somebody created under this name, the newest first.
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
where user_name = cast($user_name as text)
    and (cast($wiki as text) is null or wiki = cast($wiki as text))
order by created_at desc, event_id
