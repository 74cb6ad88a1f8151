"""The wikis: about 300, most of them with hardly a new page a day."""

from dataclasses import dataclass

from qanat.pipelines.wikimedia.generate.words import words

# Roughly by how many pages are created there.
LANGUAGES = words(
    "en de fr es ru it ja zh pl pt nl uk ar sv fa cs ko tr vi he id hu fi no ca ro el sr da bg sk hr lt et sl th hi"
    " bn ta ms uz kk az eu gl hy ka be la cy eo lv mk sq bs te ml mr ur sw tl mg oc br af is ga ast ku tg ky tt ba"
    " cv mn my km ne si pa gu kn or as yo ig ha so am ht qu ay gn nah mi sm haw lb li nds fy als bar ksh sco wa vec"
    " lmo pms scn nap"
)

_PROJECTS = (
    ("wikipedia", "wiki", 110, 1.0),
    ("wiktionary", "wiktionary", 70, 0.35),
    ("wikisource", "wikisource", 45, 0.12),
    ("wikiquote", "wikiquote", 30, 0.03),
    ("wikibooks", "wikibooks", 22, 0.03),
    ("wikivoyage", "wikivoyage", 14, 0.02),
    ("wikinews", "wikinews", 10, 0.02),
    ("wikiversity", "wikiversity", 8, 0.01),
)
_OTHERS = (
    ("commons.wikimedia.org", "commonswiki", 8.0),
    ("www.wikidata.org", "wikidatawiki", 5.5),
    ("auth.wikimedia.org", "loginwiki", 0.25),
    ("meta.wikimedia.org", "metawiki", 0.3),
    ("incubator.wikimedia.org", "incubatorwiki", 0.1),
    ("species.wikimedia.org", "specieswiki", 0.12),
    ("www.mediawiki.org", "mediawikiwiki", 0.1),
    ("www.wikifunctions.org", "wikifunctionswiki", 0.05),
    ("outreach.wikimedia.org", "outreachwiki", 0.01),
)


@dataclass(frozen=True, slots=True)
class Wiki:
    """A wiki, and its share of all creations (not summing to 1)."""

    domain: str
    database: str
    language: str
    weight: float


def wikis() -> list[Wiki]:
    """Return them all, always the same."""
    found = [Wiki(domain, database, "en", weight) for domain, database, weight in _OTHERS]
    for project, suffix, count, weight in _PROJECTS:
        for rank, language in enumerate(LANGUAGES[:count], start=1):
            database = f"{language.replace('-', '_')}{suffix}"
            share = weight / rank**1.2
            found.append(Wiki(f"{language}.{project}.org", database, language, share))
    return found
