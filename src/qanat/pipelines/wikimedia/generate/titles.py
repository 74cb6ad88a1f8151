"""Titles of pages, in the namespaces that a wiki has."""

from random import Random

from qanat.pipelines.wikimedia.generate.wikis import Wiki

_LATIN = (
    "River Castle Bridge Station Museum Festival Saint Martin Election County Village Church Album Season Lake Mountain Island"
    " Company Football Club Award Railway Street Garden Theatre Portrait View Map Letter Manuscript Observatory Valley Harbour"
    ' O\'Brien André Müller Łódź São_Paulo Ålesund "Untitled" C++ 100% AC/DC Q&A'
).split()
_OTHERS = {
    "ru": "Река Замок Мост Станция Музей Озеро Улица Церковь Альбом Сезон Остров Выборы".split(),
    "uk": "Річка Замок Міст Станція Музей Озеро Вулиця Церква Альбом Острів Вибори".split(),
    "ja": "駅 城 橋 博物館 祭り 湖 島 選挙 アルバム 鉄道".split(),
    "zh": "车站 城堡 大桥 博物馆 湖泊 岛屿 选举 专辑 铁路".split(),
    "ar": "نهر قلعة جسر محطة متحف بحيرة جزيرة".split(),
    "he": "נהר טירה גשר תחנה מוזיאון אגם".split(),
    "el": "Ποταμός Κάστρο Γέφυρα Σταθμός Μουσείο Λίμνη".split(),
    "hi": "नदी किला पुल स्टेशन संग्रहालय झील".split(),
}
_CATEGORY = {"de": "Kategorie", "fr": "Catégorie", "ru": "Категория", "es": "Categoría"}
_SERIES = (
    "Keeper's_Magazine_on_Home_Building,_{year};_Vol._{part}_(page_{number}).jpg",
    "Staatsarchiv_PL_{part}_FM1_{number}.jpg",
    "Herbarium_sheet_{part}-{number:05}.tif",
    "Aerial_view_{year}_({part}.{number}).jpg",
)


def single(wiki: Wiki, random: Random, page_id: int) -> tuple[str, int]:
    """Return title and namespace of a page that somebody makes."""
    if wiki.database == "wikidatawiki":
        return (
            (f"Q{130_000_000 + page_id % 100_000_000}", 0)
            if random.random() < 0.9
            else (
                f"Lexeme:L{page_id % 2_000_000}",
                146,
            )
        )
    if wiki.database == "commonswiki":
        text = _words(wiki, random, page_id)
        kind = random.random()
        if kind < 0.8:
            return f"File:{text}.jpg", 6
        if kind < 0.95:
            return f"Category:{text}", 14
        return f"Commons:Deletion_requests/File:{text}.jpg", 4
    kind = random.random()
    text = _words(wiki, random, page_id)
    if kind < 0.55:
        return text, 0
    if kind < 0.75:
        return f"Talk:{text}", 1
    if kind < 0.85:
        return f"User:{text}", 2
    if kind < 0.92:
        return f"User_talk:203.0.113.{page_id % 256}/{page_id}", 3
    return f"{_CATEGORY.get(wiki.language, 'Category')}:{text}", 14


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
