-- One row per domain for which pages were created, by name.
select
    domain,
    pages,
    bot_pages,
    articles
from domains
order by domain
