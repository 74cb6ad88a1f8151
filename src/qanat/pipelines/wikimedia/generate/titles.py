"""Titles of pages, in the namespaces that a wiki has."""

from random import Random

from qanat.pipelines.wikimedia.generate.wikis import Wiki
from qanat.pipelines.wikimedia.generate.words import words

_LATIN = words(
    "River Castle Bridge Station Museum Festival Saint Martin Election County Village Church Album Season Lake"
    " Mountain Island Company Football Club Award Railway Street Garden Theatre Portrait View Map Letter Manuscript"
    ' Observatory Valley Harbour O\'Brien André Müller Łódź São_Paulo Ålesund "Untitled" C++ 100% AC/DC Q&A'
)
_OTHERS = {
    "ru": words("Река Замок Мост Станция Музей Озеро Улица Церковь Альбом Сезон Остров Выборы"),
    "uk": words("Річка Замок Міст Станція Музей Озеро Вулиця Церква Альбом Острів Вибори"),
    "ja": words("駅 城 橋 博物館 祭り 湖 島 選挙 アルバム 鉄道"),
    "zh": words("车站 城堡 大桥 博物馆 湖泊 岛屿 选举 专辑 铁路"),
    "ar": words("نهر قلعة جسر محطة متحف بحيرة جزيرة"),
    "he": words("נהר טירה גשר תחנה מוזיאון אגם"),
    "el": words("Ποταμός Κάστρο Γέφυρα Σταθμός Μουσείο Λίμνη"),
    "hi": words("नदी किला पुल स्टेशन संग्रहालय झील"),
}
_CATEGORY = {"de": "Kategorie", "fr": "Catégorie", "ru": "Категория", "es": "Categoría"}
_SERIES = (
    "Keeper's_Magazine_on_Home_Building,_{year};_Vol._{part}_(page_{number}).jpg",
    "Staatsarchiv_PL_{part}_FM1_{number}.jpg",
    "Herbarium_sheet_{part}-{number:05}.tif",
    "Aerial_view_{year}_({part}.{number}).jpg",
)


# Of each kind of wiki: a kind of page up to which share, its namespace, and its title.
_COMMONS = (
    (0.8, 6, "File:{text}.jpg"),
    (0.95, 14, "Category:{text}"),
    (1.0, 4, "Commons:Deletion_requests/File:{text}.jpg"),
)
_WIKIDATA = ((0.9, 0, "Q1{page_id:08}"), (1.0, 146, "Lexeme:L{page_id}"))
_OTHER = (
    (0.55, 0, "{text}"),
    (0.75, 1, "Talk:{text}"),
    (0.85, 2, "User:{text}"),
    (0.92, 3, "User_talk:203.0.113.7/{page_id}"),
    (1.0, 14, "{category}:{text}"),
)
_KINDS = {"commonswiki": _COMMONS, "wikidatawiki": _WIKIDATA}


def single(wiki: Wiki, random: Random, page_id: int) -> tuple[str, int]:
    """Return title and namespace of a page that somebody makes."""
    chosen = random.random()
    kinds = _KINDS.get(wiki.database, _OTHER)
    _, namespace, pattern = next(kind for kind in kinds if chosen < kind[0])
    category = _CATEGORY.get(wiki.language, "Category")
    text = _words(wiki, random, page_id)
    return pattern.format(text=text, page_id=page_id, category=category), namespace


class Series:
    """The titles that a bot goes through."""

    def __init__(self, wiki: Wiki, random: Random) -> None:
        self._wiki = wiki
        self._random = random
        self._pattern = random.choice(_SERIES)
        self._year, self._part = random.randrange(1870, 1990), random.randrange(1_000)
        self._number = random.randrange(1, 400)

    def next(self, page_id: int) -> tuple[str, int]:
        """Return title and namespace of the next page."""
        if self._wiki.database != "commonswiki":
            return single(self._wiki, self._random, page_id)
        self._number += 1
        name = self._pattern.format(year=self._year, part=self._part, number=self._number)
        return f"File:{name}", 6


def _words(wiki: Wiki, random: Random, page_id: int) -> str:
    words = _OTHERS.get(wiki.language, _LATIN)
    return f"{random.choice(words)}_{random.choice(words)}_({page_id})"
