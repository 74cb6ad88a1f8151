"""Creations in the order in which they happen: people one by one, bots in bursts."""

from collections import deque
from collections.abc import Iterator
from itertools import accumulate
from random import Random
from typing import NamedTuple

from qanat.pipelines.wikimedia.generate.events import Page, text_of
from qanat.pipelines.wikimedia.generate.options import Options
from qanat.pipelines.wikimedia.generate.times import Times
from qanat.pipelines.wikimedia.generate.titles import Series, single
from qanat.pipelines.wikimedia.generate.users import User, Users
from qanat.pipelines.wikimedia.generate.wikis import Wiki, wikis

# So many bots are at work at a time, and they make this share of all pages, each so many on average before it rests.
_BURSTS, _BURST_SHARE, _BURST_LENGTH = 4, 0.5, 50
# In a burst one page in ten comes in the same millisecond as the one before.
_SAME_MS = 0.1
# So many pages of each wiki are remembered, to be made again after so long: even by times without fractions it is later.
_REMEMBERED, _TOO_NEW_MS = 64, 2_000
_REDIRECTS = 0.08


class Created(NamedTuple):
    """A creation: when the event was produced (milliseconds since 1970), and its text."""

    at_ms: int
    text: str


class _Place:
    """What goes on in one wiki."""

    def __init__(self, wiki: Wiki, random: Random) -> None:
        self.wiki = wiki
        self.users = Users(wiki, random)
        self.page_id = random.randrange(2_000, int(2_000_000 + 20_000_000 * wiki.weight))
        self.revision = self.page_id * 6
        self.pages: deque[tuple[int, Page]] = deque(maxlen=_REMEMBERED)


class _Burst:
    """A bot at work."""

    def __init__(self, place: _Place, random: Random) -> None:
        self.place = place
        self.user = random.choice(place.users.bots)
        self.series = Series(place.wiki, random)
        self.left = 1 + int(random.expovariate(1 / _BURST_LENGTH))


def created(options: Options, random: Random) -> Iterator[Created]:
    """Yield the creations, times never going back."""
    times = Times(options, random, 1 - _BURST_SHARE * _SAME_MS)
    places = [_Place(wiki, random) for wiki in wikis()]
    weights = list(accumulate(place.wiki.weight for place in places))
    bursts: list[_Burst] = []
    offset = 329_279_418
    for _ in range(options.count):
        offset += 1
        if random.random() < _BURST_SHARE:
            if len(bursts) < _BURSTS:
                (place,) = random.choices(places, cum_weights=weights)
                bursts.append(_Burst(place, random))
            burst = random.choice(bursts)
            at_ms = times.next(same=random.random() < _SAME_MS)
            page, user = _of_burst(burst)
            place = burst.place
            if not burst.left:
                bursts.remove(burst)
        else:
            at_ms = times.next(same=False)
            (place,) = random.choices(places, cum_weights=weights)
            page, user = _alone(place, at_ms, options, random)
        place.revision += random.randrange(1, 40)
        shown = None if random.random() < options.hidden else user
        text = text_of(page, shown, times.written(at_ms), place.revision, offset, random)
        yield Created(at_ms, text)


def _of_burst(burst: _Burst) -> tuple[Page, User]:
    burst.left -= 1
    place = burst.place
    place.page_id += 1
    title, namespace = burst.series.next(place.page_id)
    return Page(place.wiki, place.page_id, title, namespace, is_redirect=False), burst.user


def _alone(place: _Place, at_ms: int, options: Options, random: Random) -> tuple[Page, User]:
    user = place.users.one()
    if place.pages and random.random() < options.again:
        made_ms, page = place.pages.popleft()
        if at_ms - made_ms >= _TOO_NEW_MS:
            return page, user
    place.page_id += 1
    title, namespace = single(place.wiki, random, place.page_id)
    is_redirect = namespace == 0 and random.random() < _REDIRECTS
    page = Page(place.wiki, place.page_id, title, namespace, is_redirect)
    place.pages.append((at_ms, page))
    return page, user
