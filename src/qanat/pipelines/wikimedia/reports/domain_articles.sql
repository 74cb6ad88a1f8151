-- One row: how many articles, and pages of all kinds, were created in a domain.
select
    cast($domain as text) as domain,
    coalesce(max(articles), 0) as articles,
    coalesce(max(pages), 0) as pages
from domains
where domain = cast($domain as text)
order by domain nulls last
