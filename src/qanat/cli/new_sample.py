"""The little recorded stream that comes with a new pipeline: the same bytes every time."""

import json
import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 17, 8, tzinfo=UTC)
ORDERS = 240
PRODUCTS = {"bread": 320, "butter": 280, "coffee": 890, "honey": 650, "tea": 450}  # cents a piece
REPEAT_EVERY = 20
UNREADABLE = (60, 180)
"""Which orders are followed by something that is none."""

_GARBAGE = '{"id": "?", "at": "yesterday"}'


def sample() -> bytes:
    """Return orders of a morning as server-sent events, some given twice, two that can't be read."""
    chance, at = random.Random(1), START
    frames = []
    for number in range(1, ORDERS + 1):
        at += timedelta(seconds=chance.randint(1, 90))
        product, pieces = chance.choice(sorted(PRODUCTS)), chance.randint(1, 4)
        order = {
            "id": f"{number:06}",
            "at": at.isoformat().replace("+00:00", "Z"),
            "product": product,
            "pieces": pieces,
            "cents": pieces * PRODUCTS[product],
        }
        frames += [_frame(at, json.dumps(order))] * (1 + (number % REPEAT_EVERY == 0))
        if number in UNREADABLE:
            frames.append(_frame(at, _GARBAGE))
    return "".join(frames).encode()


def _frame(at: datetime, data: str) -> str:
    """Return an event whose id tells when it was sent, in ms since 1970: so `qanat demo` knows when to play it."""
    return f"event: message\nid: {int(at.timestamp()) * 1000}\ndata: {data}\n\n"
