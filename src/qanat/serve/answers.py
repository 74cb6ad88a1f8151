"""Answers of JSON that are ready as bytes: with their ETag, for how long they hold, compressed where that pays."""

import zlib

import xxhash
from fastapi import Request, Response

# Below it the header of a packet costs about as much as compression saves.
COMPRESS_BYTES_MIN = 2_048
# 1 takes a third of the time of 6 and makes JSON 5 instead of 6 times smaller.
COMPRESS_LEVEL = 1
COMPRESS_AT_ONCE_BYTES = 16_384

NO_STORE = "no-store"
LOOKUP_CACHE_S = 2


def digest_of(content: bytes) -> str:
    """Return what tells contents apart, 32 hexadecimal digits."""
    return xxhash.xxh3_128_hexdigest(content)


def takes_long(request: Request, body: bytes) -> bool:
    """Tell whether to answer with `body` would hold up other requests: to compress 100 kB takes a millisecond."""
    return len(body) > COMPRESS_AT_ONCE_BYTES and _takes_gzip(request)


def answered(
    request: Request, body: bytes, *, holds_s: int = LOOKUP_CACHE_S, etag: str | None = None
) -> Response:
    """Answer with `body`; with 304 and nothing when the client has it.

    Args:
        request: For what the client has and can read.
        body: JSON.
        holds_s: For so many seconds nobody needs to ask again; 0: ask each time whether it changed.
        etag: A weak one, for an answer that is the same though it tells its own age; by default a strong one is made of `body`.
    """
    tag = f'W/"{etag}"' if etag is not None else f'"{digest_of(body)}"'
    headers = {
        "ETag": tag,
        "Cache-Control": f"max-age={holds_s}" if holds_s else "no-cache",
        "Vary": "Accept-Encoding",
    }
    squeezed = len(body) >= COMPRESS_BYTES_MIN and _takes_gzip(request)
    if squeezed and etag is None:
        headers["ETag"] = f'{tag[:-1]}-gz"'  # other bytes have another strong ETag
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    if squeezed:
        headers["Content-Encoding"] = "gzip"
        body = _gzip(body)
    return Response(body, media_type="application/json", headers=headers)


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")


def _has(request: Request, tag: str) -> bool:
    """Compare weakly, as If-None-Match does (RFC 9110, 13.1.2), and whatever the encoding."""
    given = request.headers.get("if-none-match", "")
    wanted = tag.removeprefix("W/")
    known = (each.strip().removeprefix("W/").replace('-gz"', '"') for each in given.split(","))
    return given.strip() == "*" or wanted in known


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(COMPRESS_LEVEL, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
