"""The reports and look-ups of `wikimedia`. Each says on top of its `.sql` what one row is."""

from qanat.pipeline import Chart, Lookup, Parameter, Report, Shape
from qanat.tables import Column, ColumnType

HOUR_S = 3_600.0
WINDOW_S = 6 * HOUR_S

TOP_MAX = 1_000
TITLES_MAX = 10_000

_PACKAGE = "qanat.pipelines.wikimedia.reports"

_WIKI = Column("wiki", ColumnType.TEXT, about="its database: `enwiki`")
_DOMAIN = Column("domain", ColumnType.TEXT, about="`en.wikipedia.org`")
_USER_ID = Column("user_id", ColumnType.INT64, nullable=True, about="none for who has no account")
_USER_NAME = Column("user_name", ColumnType.TEXT, nullable=True, about="or an IP address")
_PAGES = Column("pages", ColumnType.INT64, about="that were created")
_BOT_PAGES = Column("bot_pages", ColumnType.INT64, about="of them by bots")
_ARTICLES = Column("articles", ColumnType.INT64, about="of them in namespace 0")

_OF_WIKI = Parameter("wiki", ColumnType.TEXT, "Only this one, such as enwiki; empty for all.")

DOMAINS_BY_HOUR = Report(
    name="domains-by-hour",
    title="Pages created per domain and hour",
    about="One row per hour and domain, the six full hours before the end. An hour in which nothing"
    " was created has one row, without a domain.",
    sql=f"{_PACKAGE}:domains_by_hour.sql",
    columns=(
        Column("hour_start", ColumnType.TIMESTAMP),
        Column("hour_end", ColumnType.TIMESTAMP, about="the first moment after it"),
        Column("domain", ColumnType.TEXT, nullable=True, about="none in an empty hour"),
        _PAGES,
    ),
    charts=(
        Chart(Shape.PERIODS, ("pages",), "pages per hour", start="hour_start", end="hour_end"),
    ),
    window_s=WINDOW_S,
    every_s=HOUR_S,
)

BOTS_BY_DOMAIN = Report(
    name="bots-by-domain",
    title="Pages created by bots per domain",
    about="One row per domain in which bots created pages in the six full hours before the end.",
    sql=f"{_PACKAGE}:bots_by_domain.sql",
    columns=(_DOMAIN, Column("bot_pages", ColumnType.INT64, about="that bots created")),
    charts=(Chart(Shape.RANKED, ("bot_pages",), "pages by bots", label="domain"),),
    window_s=WINDOW_S,
    every_s=HOUR_S,
)

TOP_USERS = Report(
    name="top-users",
    title="Users who created the most pages",
    about="One row per user, of the six full hours before the end. Users of different wikis are"
    " different users. Equal numbers are in the order of the wikis, then of ids and names.",
    sql=f"{_PACKAGE}:top_users.sql",
    parameters=(
        Parameter("top", ColumnType.INT64, "How many.", "20", smallest=1, largest=TOP_MAX),
        Parameter(
            "bots",
            ColumnType.TEXT,
            "Whether pages by bots count.",
            "include",
            ("include", "exclude", "only"),
        ),
        Parameter(
            "titles_max",
            ColumnType.INT64,
            "How many titles of each user, the oldest first.",
            "20",
            smallest=1,
            largest=TITLES_MAX,
        ),
    ),
    columns=(
        Column("place", ColumnType.INT64),
        _DOMAIN,
        _WIKI,
        _USER_ID,
        _USER_NAME,
        _PAGES,
        Column(
            "page_titles",
            ColumnType.TEXT,
            about="with ` | ` between them, which no title can have",
        ),
    ),
    charts=(Chart(Shape.RANKED, ("pages",), "pages", label="user_name"),),
    window_s=WINDOW_S,
    every_s=HOUR_S,
)

REPORTS = (DOMAINS_BY_HOUR, BOTS_BY_DOMAIN, TOP_USERS)

DOMAINS = Lookup(
    name="domains",
    title="Domains for which pages were created",
    about="One row per domain, by name.",
    sql=f"{_PACKAGE}:domains.sql",
    columns=(_DOMAIN, _PAGES, _BOT_PAGES, _ARTICLES),
)

_PAGES_OF = (
    _WIKI,
    _DOMAIN,
    _USER_ID,
    _USER_NAME,
    Column("page_id", ColumnType.INT64),
    Column("page_title", ColumnType.TEXT),
    Column("namespace", ColumnType.INT64),
    Column("is_redirect", ColumnType.BOOLEAN),
    Column("created_at", ColumnType.TIMESTAMP),
    Column("event_id", ColumnType.TEXT),
)

USER_PAGES = Lookup(
    name="user-pages",
    title="Pages that a user created, by the user's number",
    about="One row per page, the newest first. A number belongs to one wiki: without `wiki` the pages"
    " of everybody who has it are told.",
    sql=f"{_PACKAGE}:user_pages.sql",
    parameters=(
        Parameter("user_id", ColumnType.INT64, "The user's number.", smallest=0),
        _OF_WIKI,
    ),
    columns=_PAGES_OF,
)

NAME_PAGES = Lookup(
    name="name-pages",
    title="Pages that a user created, by the user's name",
    about="One row per page, the newest first; also for anonymous users, whose names are addresses.",
    sql=f"{_PACKAGE}:name_pages.sql",
    parameters=(
        Parameter("user_name", ColumnType.TEXT, "The name, or IP address."),
        _OF_WIKI,
    ),
    columns=_PAGES_OF,
)

DOMAIN_ARTICLES = Lookup(
    name="domain-articles",
    title="How many articles were created in a domain",
    about="One row, with zeros where none were.",
    sql=f"{_PACKAGE}:domain_articles.sql",
    parameters=(Parameter("domain", ColumnType.TEXT, "Such as en.wikipedia.org."),),
    columns=(
        Column("domain", ColumnType.TEXT, nullable=True, about="as it was asked for"),
        Column("articles", ColumnType.INT64, about="in namespace 0"),
        Column("pages", ColumnType.INT64, about="in all namespaces, redirects included"),
    ),
)

PAGE = Lookup(
    name="page",
    title="The page of a number",
    about="One row per wiki that has such a page, as it was created last: numbers of pages are"
    " unique only inside one wiki.",
    sql=f"{_PACKAGE}:page.sql",
    parameters=(
        Parameter("page_id", ColumnType.INT64, "The page's number.", smallest=0),
        _OF_WIKI,
        Parameter("domain", ColumnType.TEXT, "Only this one; empty for all."),
    ),
    columns=(
        _WIKI,
        _DOMAIN,
        Column("page_id", ColumnType.INT64),
        Column("page_title", ColumnType.TEXT),
        Column("namespace", ColumnType.INT64),
        Column("is_redirect", ColumnType.BOOLEAN),
        _USER_ID,
        _USER_NAME,
        Column("is_bot", ColumnType.BOOLEAN),
        Column("created_at", ColumnType.TIMESTAMP),
        Column("revised_at", ColumnType.TIMESTAMP, nullable=True),
        Column("rev_id", ColumnType.INT64),
    ),
)

USERS = Lookup(
    name="users",
    title="Users who created pages in a range of time",
    about="One row per user, the most pages first. The range is exact, not only to the hour.",
    sql=f"{_PACKAGE}:users.sql",
    parameters=(
        Parameter("since", ColumnType.TIMESTAMP, "From here on; empty for the beginning."),
        Parameter("until", ColumnType.TIMESTAMP, "Before this moment; empty for no end."),
        _OF_WIKI,
    ),
    columns=(_WIKI, _DOMAIN, _USER_ID, _USER_NAME, _PAGES, _BOT_PAGES),
)

LOOKUPS = (DOMAINS, USER_PAGES, NAME_PAGES, DOMAIN_ARTICLES, PAGE, USERS)
