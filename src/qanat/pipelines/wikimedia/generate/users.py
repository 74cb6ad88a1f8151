"""Who creates pages: bots in bursts, a few busy people, many who come once, and those without an account."""

from dataclasses import dataclass
from random import Random

from qanat.pipelines.wikimedia.generate.wikis import Wiki
from qanat.pipelines.wikimedia.generate.words import words

_FIRST = words(
    "Alba Bento Chidi Dag Elif Farid Goran Hana Imre Juno Kofi Lena Mara Nils Oona Pavlo Quim Rosa Samir Tove Umar"
    " Vera Wim Xenia Yuki Zsofia Анна Борис Вира Галина Дмитро Олена Σοφία Νίκος 健太 美咲 志明 小红 नीरज 지훈 أحمد ליאור"
)
_LAST = words(
    "Archivist Baker Cartographer Dreamer Editor Falcon Gardener Historian Islander Jurist Keeper Librarian Mapper"
    " Naturalist Observer Painter Quill Reader Scribe Traveller Umbra Voyager Writer Xylo Yonder Zephyr"
)
_BOT = words("Archive Batch Botanica Catalog Curator Geo Import Lexeme Media Museum Patrol Sorter")

# Accounts per wiki: the busier the wiki, the more.
_BOTS_MAX, _PEOPLE_MAX = 12, 4_000


@dataclass(frozen=True, slots=True)
class User:
    """Someone on one wiki. Whoever has no account has no id, or, in old events, 0."""

    name: str
    id: int | None
    is_bot: bool
    groups: str
    registered: str | None
    edits: int


class Users:
    """The users of one wiki; each looks the same whenever it comes."""

    def __init__(self, wiki: Wiki, random: Random) -> None:
        self._random = random
        self._first_id = random.randrange(1_000, 9_000_000)
        busy = min(1.0, wiki.weight / 5)
        self.bots = [self._bot(number) for number in range(1 + round(_BOTS_MAX * busy))]
        self._people: dict[int, User] = {}
        self._people_count = 5 + round(_PEOPLE_MAX * busy)

    def one(self) -> User:
        """Return whoever creates the next page alone."""
        random = self._random
        kind = random.random()
        if kind < 0.04:
            return self._anonymous()
        if kind < 0.12:
            return self._temporary()
        if kind < 0.2:
            return random.choice(self.bots)
        # The most busy ones come again and again; most numbers are met once.
        return self._person(int(self._people_count * random.random() ** 4))

    def _person(self, number: int) -> User:
        if number not in self._people:
            self._people[number] = self._made(number)
        return self._people[number]

    def _made(self, number: int) -> User:
        random = self._random
        name = f"{random.choice(_FIRST)} {random.choice(_LAST)} {number}"
        year = random.randrange(2004, 2025)
        registered = f"{year}-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}T10:{random.randrange(60):02}:07Z"
        groups = '"extendedconfirmed","*","user","autoconfirmed"' if number < 50 else '"*","user"'
        edits = random.randrange(3, 90_000)
        return User(name, self._first_id + 100 + number, False, groups, registered, edits)

    def _bot(self, number: int) -> User:
        name = f"{_BOT[(self._first_id + number) % len(_BOT)]}Bot {number}"
        groups = '"bot","*","user","autoconfirmed"'
        edits = self._random.randrange(10_000, 30_000_000)
        registered = "2019-12-18T13:57:27Z"
        return User(name, self._first_id + number, True, groups, registered, edits)

    def _anonymous(self) -> User:
        random = self._random
        if random.random() < 0.2:
            name = f"2001:DB8:{random.randrange(65_536):X}:{random.randrange(64):X}:0:0:0:1"
        else:
            name = f"203.0.{random.randrange(113, 115)}.{random.randrange(256)}"
        return User(name, 0 if random.random() < 0.1 else None, False, '"*"', None, 0)

    def _temporary(self) -> User:
        number = self._random.randrange(400)
        # Two out of three have an id, as it is since such accounts exist.
        number_id = None if number % 3 == 0 else self._first_id + 50_000 + number
        name = f"~2025-{10_000 + number * 37}-{number % 97:02}"
        return User(name, number_id, False, '"*","user","temp"', "2025-08-30T08:00:00Z", 4)
