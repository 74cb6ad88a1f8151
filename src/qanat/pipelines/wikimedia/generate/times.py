"""When things happen, and how the events write it."""

from datetime import UTC, datetime, timedelta
from random import Random

from qanat.pipelines.wikimedia.generate.events import Moment
from qanat.pipelines.wikimedia.generate.options import Options

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# One time in five hundred is written with an offset instead of Z.
_WITH_OFFSET = 0.002


class Times:
    """A clock that goes on by itself, at this share of the events."""

    def __init__(self, options: Options, random: Random, moving: float) -> None:
        self._options = options
        self._random = random
        self._at_ms = float((options.start - _EPOCH) // timedelta(milliseconds=1))
        self._rate_per_ms = options.rate_per_s * moving / 1_000

    def next(self, *, same: bool) -> int:
        """Return when the next event is produced, in milliseconds since 1970; `same`: with the one before."""
        if not same:
            self._at_ms += self._random.expovariate(self._rate_per_ms)
        return int(self._at_ms)

    def written(self, at_ms: int) -> Moment:
        """Return an event's times as texts: the revision is a little older, or years."""
        random, options = self._random, self._options
        produced = _text(at_ms)
        if random.random() < options.whole_seconds:
            produced = f"{produced[:19]}Z"
        if random.random() < _WITH_OFFSET:
            produced = f"{produced[:-1]}+00:00"
        back_ms = random.randrange(1_000, 4_000)
        if random.random() < options.imports:
            back_ms = random.randrange(86_400_000, 20 * 365 * 86_400_000)
        return Moment(produced, f"{_text(at_ms - back_ms)[:19]}Z")


_days: dict[int, str] = {}


def _text(at_ms: int) -> str:
    """Write a time as `2025-09-06T03:28:53.322Z`."""
    day, rest = divmod(at_ms, 86_400_000)
    if day not in _days:
        _days[day] = f"{_EPOCH + timedelta(days=day):%Y-%m-%d}"
    seconds, milliseconds = divmod(rest, 1_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{_days[day]}T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}Z"
