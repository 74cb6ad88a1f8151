"""Eight lines at a time: what `scaled.py` finds out about each line, by vectors.

Written as portable LLVM, as `swar.py` is.
"""

from collections.abc import Callable, Sequence
from typing import cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from qanat.pipelines.metering.kernel.layout import DIGITS_MAX, FACTORS_NEGATIVE

LANES = 8
# Where the loop puts what it gathered, joined bit by bit but for the marks, which are counted.
WRONG, MARKS, KEY_LENGTHS, AMOUNT_LENGTHS, SCALES = range(5)
RESULT_FIELDS = 5

_NUMBERS = ir.VectorType(ir.IntType(64), LANES)
_PLACES = ir.VectorType(ir.IntType(32), LANES)
_TEXT = ir.VectorType(ir.IntType(8), 8 * LANES)
_ZEROS = "llvm.ctlz.v8i64"
_QUICK_DIGITS_MAX = 16

_Emit = Callable[[object, ir.IRBuilder, object, Sequence[ir.Value]], ir.Value]
_Typed = tuple[object, _Emit]
_Scale = Callable[[ir.IRBuilder, ir.Value, ir.Value], ir.Value]


class _Vectors:
    """Eight numbers at a time, in the notation of their loop."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self._builder = builder

    def all(self, number: int | ir.Value) -> ir.Value:
        """Eight times the same."""
        if isinstance(number, int):
            return ir.Constant(_NUMBERS, [number] * LANES)
        one = self._builder.insert_element(ir.Constant(_NUMBERS, None), number, ir.IntType(32)(0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
        return self._builder.shuffle_vector(one, one, lanes)

    def numbers(self, base: ir.Value, index: ir.Value) -> ir.Value:
        """The pointer to eight numbers of a column."""
        column = self._builder.inttoptr(base, ir.IntType(64).as_pointer())
        return self._builder.bitcast(self._builder.gep(column, [index]), _NUMBERS.as_pointer())

    def places(self, base: ir.Value, index: ir.Value) -> ir.Value:
        """Eight places."""
        column = self._builder.inttoptr(base, ir.IntType(32).as_pointer())
        place = self._builder.bitcast(self._builder.gep(column, [index]), _PLACES.as_pointer())
        return self._builder.sext(self._builder.load(place, align=1), _NUMBERS)

    def last_bytes(self, count: ir.Value) -> ir.Value:
        """Masks of the last `count` bytes of words; of all if it is more."""
        builder = self._builder
        bits = builder.sub(self.all(64), builder.shl(count, self.all(3)))
        bits = builder.select(builder.icmp_signed(">", bits, self.all(0)), bits, self.all(0))
        return builder.shl(self.all(-1), builder.and_(bits, self.all(63)))

    def points(self, words: ir.Value) -> ir.Value:
        """Masks of the bytes that are a decimal point."""
        point = ir.Constant(_TEXT, [ord(".")] * 8 * LANES)
        found = self._builder.icmp_unsigned("==", self._builder.bitcast(words, _TEXT), point)
        return self._builder.bitcast(self._builder.sext(found, _TEXT), _NUMBERS)

    def zeros_above(self, words: ir.Value) -> ir.Value:
        """How many bits above the highest that is set."""
        module, flag = self._builder.module, ir.IntType(1)
        kind = ir.FunctionType(_NUMBERS, [_NUMBERS, flag])
        function = module.globals.get(_ZEROS) or ir.Function(module, kind, _ZEROS)
        return self._builder.call(function, [words, flag(0)])

    def one_where(self, condition: ir.Value) -> ir.Value:
        """1 or 0."""
        return self._builder.zext(condition, _NUMBERS)

    def joined(self, numbers: Sequence[ir.Value]) -> ir.Value:
        """All bits of all."""
        value = numbers[0]
        for other in numbers[1:]:
            value = self._builder.or_(value, other)
        return value


class _Gathered:
    """Values that a loop gathers, one vector each."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self._builder = builder
        zero = ir.Constant(_NUMBERS, None)
        self._slots = [
            cgutils.alloca_once_value(builder, zero)  # type: ignore[no-untyped-call]
            for _ in range(RESULT_FIELDS)
        ]

    def add(self, field: int, numbers: ir.Value) -> None:
        """Join numbers to a field."""
        slot = self._slots[field]
        before = self._builder.load(slot)
        join = self._builder.add if field == MARKS else self._builder.or_
        self._builder.store(join(before, numbers), slot)

    def store(self, target: ir.Value) -> None:
        """Store each field as one number."""
        builder = self._builder
        fields = builder.inttoptr(target, ir.IntType(64).as_pointer())
        for field, slot in enumerate(self._slots):
            numbers = builder.load(slot)
            join = builder.add if field == MARKS else builder.or_
            value = builder.extract_element(numbers, ir.IntType(32)(0))
            for lane in range(1, LANES):
                value = join(value, builder.extract_element(numbers, ir.IntType(32)(lane)))
            builder.store(value, builder.gep(fields, [ir.IntType(64)(field)]), align=1)


def _splitter(*, decimals_allowed: bool) -> object:
    @intrinsic
    def split(
        _typing: object,
        _spaces: object,
        _feeds: object,
        _ends: object,
        _count: object,
        _keys: object,
        _column_bytes: object,
        _signed: object,
        _decimals: object,
        _result: object,
    ) -> _Typed:
        def emit(
            _context: object,
            builder: ir.IRBuilder,
            _signature: object,
            arguments: Sequence[ir.Value],
        ) -> ir.Value:
            gathered = _Gathered(builder)
            with cgutils.for_range_slice(
                builder, ir.IntType(64)(0), arguments[3], ir.IntType(64)(LANES), ir.IntType(64)
            ) as (index, _):
                _split_eight(builder, gathered, arguments, index, decimals_allowed)
            gathered.store(arguments[8])
            return ir.Constant(ir.IntType(8).as_pointer(), None)

        return types.void(*[types.int64] * 9), emit

    return split


def _split_eight(
    builder: ir.IRBuilder,
    gathered: _Gathered,
    arguments: Sequence[ir.Value],
    index: ir.Value,
    decimals_allowed: bool,
) -> None:
    spaces, feeds, ends, _, keys, column_bytes, signed, decimals, _ = arguments
    vectors = _Vectors(builder)
    one = vectors.all(1)
    allowed = vectors.all(decimals) if decimals_allowed else vectors.all(0)
    space, end = vectors.places(spaces, index), vectors.places(ends, index)
    before = vectors.places(feeds, builder.sub(index, ir.IntType(64)(1)))
    key_length = builder.sub(builder.sub(space, before), one)
    key = vectors.numbers(keys, index)
    kept = vectors.last_bytes(key_length)
    builder.store(builder.and_(builder.load(key, align=1), kept), key, align=1)

    amounts = builder.add(keys, column_bytes)
    shifted = builder.add(amounts, column_bytes)
    firsts = builder.add(shifted, column_bytes)
    amount, scale = vectors.numbers(amounts, index), vectors.numbers(firsts, index)
    first = builder.load(scale, align=1)
    minus = vectors.one_where(builder.icmp_signed("==", first, vectors.all(ord("-"))))
    minus = builder.and_(minus, vectors.all(signed))
    length = builder.sub(builder.sub(end, space), one)
    word = builder.load(amount, align=1)
    column = vectors.numbers(shifted, index)
    pointed = fraction = vectors.all(0)
    if decimals_allowed:
        word, pointed, fraction = _without_point(vectors, builder, word, column, length)
    digits = builder.sub(builder.sub(length, minus), pointed)
    builder.store(builder.or_(builder.shl(digits, one), pointed), column, align=1)
    builder.store(builder.and_(word, vectors.last_bytes(digits)), amount, align=1)

    missing = builder.sub(allowed, fraction)
    factor = builder.add(missing, builder.mul(minus, vectors.all(FACTORS_NEGATIVE)))
    builder.store(factor, scale, align=1)
    whole = builder.sub(digits, fraction)
    wholes = builder.sub(vectors.all(DIGITS_MAX), allowed)
    gathered.add(
        WRONG,
        vectors.joined(
            [
                builder.sub(key_length, one),
                builder.sub(vectors.all(_QUICK_DIGITS_MAX), key_length),
                builder.sub(vectors.all(_QUICK_DIGITS_MAX), digits),
                builder.sub(whole, one),
                builder.sub(wholes, whole),
                missing,
                builder.sub(fraction, pointed),
            ]
        ),
    )
    gathered.add(MARKS, builder.add(minus, pointed))
    gathered.add(KEY_LENGTHS, builder.sub(key_length, one))
    gathered.add(AMOUNT_LENGTHS, builder.sub(digits, one))
    gathered.add(SCALES, factor)


def _without_point(
    vectors: _Vectors,
    builder: ir.IRBuilder,
    word: ir.Value,
    column: ir.Value,
    length: ir.Value,
) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return the last eight digits of amounts, 1 where they have a point, and how many digits are behind it.

    The words one byte before those of the amounts are in `column`.
    """
    point = builder.and_(vectors.points(word), vectors.last_bytes(length))
    has_point = builder.icmp_unsigned("!=", point, vectors.all(0))
    to_point = builder.or_(point, builder.sub(point, vectors.all(1)))
    to_point = builder.select(has_point, to_point, vectors.all(0))
    moved = builder.and_(builder.load(column, align=1), to_point)
    word = builder.or_(builder.and_(word, builder.not_(to_point)), moved)
    fraction = builder.lshr(vectors.zeros_above(point), vectors.all(3))
    fraction = builder.select(has_point, fraction, vectors.all(0))
    return word, vectors.one_where(has_point), fraction


def _multiplier(scaled: _Scale) -> object:
    @intrinsic
    def multiply(_typing: object, _amounts: object, _factors: object, _count: object) -> _Typed:
        def emit(
            _context: object,
            builder: ir.IRBuilder,
            _signature: object,
            arguments: Sequence[ir.Value],
        ) -> ir.Value:
            amounts, factors, count = arguments
            with cgutils.for_range_slice(
                builder, ir.IntType(64)(0), count, ir.IntType(64)(LANES), ir.IntType(64)
            ) as (index, _):
                vectors = _Vectors(builder)
                amount = vectors.numbers(amounts, index)
                factor = builder.load(vectors.numbers(factors, index), align=1)
                builder.store(
                    scaled(builder, builder.load(amount, align=1), factor), amount, align=1
                )
            return ir.Constant(ir.IntType(8).as_pointer(), None)

        return types.void(*[types.int64] * 3), emit

    return multiply


def _negated(builder: ir.IRBuilder, amounts: ir.Value, factors: ir.Value) -> ir.Value:
    """Negate where the factors' numbers say so."""
    vectors = _Vectors(builder)
    negative = builder.icmp_signed(">=", factors, vectors.all(FACTORS_NEGATIVE))
    down = builder.sext(negative, _NUMBERS)
    return builder.sub(builder.xor(amounts, down), down)


def _scaled(builder: ir.IRBuilder, amounts: ir.Value, factors: ir.Value) -> ir.Value:
    """Multiply by the powers of ten that the factors' numbers stand for, and negate where they say so."""
    vectors = _Vectors(builder)
    negative = builder.icmp_signed(">=", factors, vectors.all(FACTORS_NEGATIVE))
    down = builder.sext(negative, _NUMBERS)
    power = builder.sub(factors, builder.and_(down, vectors.all(FACTORS_NEGATIVE)))
    times = vectors.all(1)
    for bit in (1, 2, 4):
        there = builder.icmp_signed("!=", builder.and_(power, vectors.all(bit)), vectors.all(0))
        step = builder.select(there, vectors.all(10**bit), vectors.all(1))
        # Seven decimals at most: both have 32 bits, and said so, the product takes one instruction.
        times = builder.mul(builder.and_(times, vectors.all(0xFFFF_FFFF)), step)
    return _negated(builder, builder.mul(amounts, times), factors)


# Turns the columns of the first `count` lines, a multiple of eight, into what `scaled.py` describes. The arguments are the
# places of spaces, of line feeds (with -1 before the first) and of amounts' ends; the count; the column of keys and the
# distance of columns; whether amounts may be signed, how many decimals they may have; and where the results go.
_Split = Callable[[int, int, int, int, int, int, int, int, int], None]
split_eights = cast(_Split, _splitter(decimals_allowed=True))
# Likewise, where no decimals are allowed.
split_whole_eights = cast(_Split, _splitter(decimals_allowed=False))

# Multiplies the first `count` amounts, a multiple of eight, by the factors whose numbers are in the other column.
scale_eights = cast(Callable[[int, int, int], None], _multiplier(_scaled))
# Likewise, where there are no decimals.
negate_eights = cast(Callable[[int, int, int], None], _multiplier(_negated))
