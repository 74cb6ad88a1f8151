"""The kinds of malformed lines, as templates.

Every template breaks the grammar (consumer and amount of 1 to 18 decimal digits each, one space
between) whatever numbers are filled in. A kind with several templates takes each of them equally
often.
"""

from typing import Final, NamedTuple

# Pieces of a template that are filled in per line; everything else stands for itself. Codes above
# 255, so that they can't be mistaken for a byte.
CONSUMER: Final = 256
AMOUNT: Final = 257
NINETEEN: Final = (
    258  # the amount, padded with zeros to 19 digits: one more than the grammar allows
)
RANDOM: Final = 259  # 16 random bytes with the highest bit set: never a newline, never a digit
# The most bytes that one of them turns into.
PIECE_BYTES_MAX: Final = 19

# Longer than what a dead letter keeps of a line, so that its cap is exercised.
_LONG_BYTES: Final = 1000

Piece = bytes | int
_C, _A, _N, _R = CONSUMER, AMOUNT, NINETEEN, RANDOM

# The order is part of "same seed, same bytes": new kinds and templates go to the end.
TEMPLATES: Final[dict[str, tuple[tuple[Piece, ...], ...]]] = {
    "empty": ((),),
    "missing-amount": ((_C,), (_C, b" ")),
    "missing-consumer": ((b" ", _A), (b" ",)),
    "two-spaces": ((_C, b"  ", _A),),
    "leading-space": ((b" ", _C, b" ", _A),),
    "trailing-space": ((_C, b" ", _A, b" "),),
    "tab": ((_C, b"\t", _A), (_C, b" \t", _A), (_C, b" ", _A, b"\t")),
    "other-separator": ((_C, b",", _A), (_C, b";", _A), (_C, b"\xc2\xa0", _A)),
    "third-field": ((_C, b" ", _A, b" ", _A),),
    "letters": ((_C, b" abc"), (b"abc ", _A), (_C, b" 0x", _A), (_C, b" ", _A, b"e3")),
    "sign": ((_C, b" -", _A), (_C, b" +", _A), (b"-", _C, b" ", _A)),
    "decimal-point": ((_C, b" ", _A, b".0"), (_C, b" .", _A), (_C, b".", _A)),
    "nineteen-digits": ((_C, b" ", _N), (_N, b" ", _A), (_C, b" 9223372036854775807")),
    "nul": ((_C, b"\0", _A), (_C, b" ", _A, b"\0"), (b"\0",)),
    "binary": ((_R,), (_C, b" ", _R)),
    "other-digits": ((_C, b" \xd9\xa3\xd9\xa4"), (_C, b" \xef\xbc\x91\xef\xbc\x92")),
    "byte-order-mark": ((b"\xef\xbb\xbf", _C, b" ", _A),),
    "lone-cr": ((_C, b"\r", _A), (_C, b" ", _A, b"\r", _C, b" ", _A)),
    # Two of them: with one the line would be a good one that ends in CRLF.
    "trailing-cr": ((_C, b" ", _A, b"\r\r"),),
    "long": ((_C, b" ", b"7" * _LONG_BYTES),),
}
MALFORMED_KINDS: Final = tuple(TEMPLATES)


class TemplateTable(NamedTuple):
    """Templates, flattened for compiled code.

    Template t is pieces[piece_starts[t]:piece_starts[t + 1]]; the k-th chosen kind owns the
    templates kind_starts[k]:kind_starts[k + 1].
    """

    pieces: list[int]
    piece_starts: list[int]
    kind_starts: list[int]
    length_bytes_max: int


def template_table(kinds: tuple[str, ...]) -> TemplateTable:
    """Return the templates of `kinds`, which are names out of `MALFORMED_KINDS`."""
    table = TemplateTable([], [0], [0], max(map(_kind_bytes_max, kinds)))
    for kind in kinds:
        for template in TEMPLATES[kind]:
            table.pieces.extend(_codes(template))
            table.piece_starts.append(len(table.pieces))
        table.kind_starts.append(len(table.piece_starts) - 1)
    return table


def _codes(template: tuple[Piece, ...]) -> list[int]:
    return [code for piece in template for code in (piece if isinstance(piece, bytes) else [piece])]


def _kind_bytes_max(kind: str) -> int:
    return max(
        sum(1 if code < CONSUMER else PIECE_BYTES_MAX for code in _codes(template))
        for template in TEMPLATES[kind]
    )
