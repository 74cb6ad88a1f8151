"""Machine words from memory for the kernel: unaligned loads and stores, bit masks of 64 bytes,
eight digits at a time.

Each function is a few LLVM instructions on an address. They are written as portable LLVM, vectors
included, so that the compiler picks AVX2, AVX-512 or NEON by itself. Nothing here checks an
address: callers pad their buffers.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import cast

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy import uint64

from qanat.pipelines.metering.kernel.compiled import compiled

_BYTES_64 = ir.VectorType(ir.IntType(8), 64)
_WORDS_4 = ir.VectorType(ir.IntType(64), 4)
_COMPRESS = "llvm.x86.avx512.mask.compress.v64i8"
_NOTHING = ir.Constant(ir.IntType(8).as_pointer(), None)

# How many places `put_places` stores at the most.
PLACES_MAX = 16

_LOW_NIBBLES = uint64(0x0F0F0F0F0F0F0F0F)
_PAIRS = uint64(0x00FF00FF00FF00FF)
_QUADS = uint64(0x0000FFFF0000FFFF)
# x * (1 + 256 * 10) adds ten times each byte to the byte above it; the others do so for pairs and
# for fours of digits.
_TENS = uint64(1 + (10 << 8))
_HUNDREDS = uint64(1 + (100 << 16))
_TEN_THOUSANDS = uint64(1 + (10_000 << 32))
_TEN_TO_8 = uint64(10**8)
_TEN_TO_16 = uint64(10**16)

_Emit = Callable[[object, ir.IRBuilder, object, Sequence[ir.Value]], ir.Value]
_Typed = tuple[object, _Emit]
_Compare = Callable[[ir.IRBuilder, ir.Value], ir.Value]


def _place(builder: ir.IRBuilder, arguments: Sequence[ir.Value], bits: int) -> ir.Value:
    """The pointer to an element of so many bits, from its base and its index."""
    base = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
    return builder.gep(base, [arguments[1]])


def _loader(bits: int, result: types.Integer) -> object:
    @intrinsic
    def load(_typing: object, _base: object, _index: object) -> _Typed:
        def emit(
            _context: object,
            builder: ir.IRBuilder,
            _signature: object,
            arguments: Sequence[ir.Value],
        ) -> ir.Value:
            loaded = builder.load(_place(builder, arguments, bits), align=1)
            return builder.zext(loaded, ir.IntType(64)) if bits < 64 else loaded

        return result(types.int64, types.int64), emit

    return load


def _storer(bits: int, value_type: types.Integer) -> object:
    @intrinsic
    def store(_typing: object, _base: object, _index: object, _value: object) -> _Typed:
        def emit(
            _context: object,
            builder: ir.IRBuilder,
            _signature: object,
            arguments: Sequence[ir.Value],
        ) -> ir.Value:
            value = arguments[2]
            if bits < 64:
                value = builder.trunc(value, ir.IntType(bits))
            builder.store(value, _place(builder, arguments, bits), align=1)
            return _NOTHING

        return types.void(types.int64, types.int64, value_type), emit

    return store


def _mask_of_64(compare: _Compare) -> object:
    @intrinsic
    def mask(_typing: object, _address: object) -> _Typed:
        def emit(
            _context: object,
            builder: ir.IRBuilder,
            _signature: object,
            arguments: Sequence[ir.Value],
        ) -> ir.Value:
            place = builder.inttoptr(arguments[0], _BYTES_64.as_pointer())
            return builder.bitcast(compare(builder, builder.load(place, align=1)), ir.IntType(64))

        return types.uint64(types.int64), emit

    return mask


def _bytes(value: int) -> ir.Constant:
    return ir.Constant(_BYTES_64, [value] * 64)


def _is_no_digit(builder: ir.IRBuilder, text: ir.Value) -> ir.Value:
    return builder.icmp_unsigned(">", builder.sub(text, _bytes(ord("0"))), _bytes(9))


def _is_space(builder: ir.IRBuilder, text: ir.Value) -> ir.Value:
    return builder.icmp_unsigned("==", text, _bytes(ord(" ")))


def _is_line_feed(builder: ir.IRBuilder, text: ir.Value) -> ir.Value:
    return builder.icmp_unsigned("==", text, _bytes(ord("\n")))


def _is_point(builder: ir.IRBuilder, text: ir.Value) -> ir.Value:
    return builder.icmp_unsigned("==", text, _bytes(ord(".")))


def _is_return(builder: ir.IRBuilder, text: ir.Value) -> ir.Value:
    return builder.icmp_unsigned("==", text, _bytes(ord("\r")))


def _is_minus(builder: ir.IRBuilder, text: ir.Value) -> ir.Value:
    return builder.icmp_unsigned("==", text, _bytes(ord("-")))


@intrinsic
def _lowest_bit(_typing: object, _word: object) -> _Typed:
    def emit(
        _context: object, builder: ir.IRBuilder, _signature: object, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), emit


@intrinsic
def _zeros_above(_typing: object, _word: object) -> _Typed:
    def emit(
        _context: object, builder: ir.IRBuilder, _signature: object, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), emit


@intrinsic
def _overflows(_typing: object, _first: object, _second: object) -> _Typed:
    def emit(
        _context: object, builder: ir.IRBuilder, _signature: object, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        return builder.extract_value(builder.sadd_with_overflow(*arguments), 1)

    return types.boolean(types.uint64, types.uint64), emit


@intrinsic
def _count_bits(_typing: object, _word: object) -> _Typed:
    def emit(
        _context: object, builder: ir.IRBuilder, _signature: object, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), emit


def _compresses() -> bool:
    """Whether the processor moves the bytes of a vector that a mask selects to its front (AVX-512 VBMI2)."""
    chosen = "NUMBA_CPU_NAME" in os.environ or "NUMBA_CPU_FEATURES" in os.environ
    return not chosen and bool(llvm.get_host_cpu_features().get("avx512vbmi2"))


def _places_by_vector(
    builder: ir.IRBuilder, places: ir.Value, mask: ir.Value, base: ir.Value
) -> None:
    """Sixteen places by three instructions."""
    selected = ir.VectorType(ir.IntType(1), 64)
    kind = ir.FunctionType(_BYTES_64, [_BYTES_64, _BYTES_64, selected])
    known = builder.module.globals
    compress = known.get(_COMPRESS) or ir.Function(builder.module, kind, _COMPRESS)
    numbers = ir.Constant(_BYTES_64, list(range(64)))
    chosen = builder.call(compress, [numbers, _bytes(0), builder.bitcast(mask, selected)])
    lanes = ir.VectorType(ir.IntType(32), PLACES_MAX)
    first = ir.Constant(lanes, list(range(PLACES_MAX)))
    places_16 = builder.zext(builder.shuffle_vector(chosen, chosen, first), lanes)
    one = builder.insert_element(ir.Constant(lanes, None), base, ir.IntType(32)(0))
    bases = builder.shuffle_vector(one, one, ir.Constant(lanes, None))
    builder.store(
        builder.add(places_16, bases), builder.bitcast(places, lanes.as_pointer()), align=1
    )


def _places_one_by_one(
    builder: ir.IRBuilder, places: ir.Value, mask: ir.Value, base: ir.Value
) -> None:
    """As many as most masks have, whether there are as many or not: the end of a loop of exactly as many is mispredicted."""
    count = builder.ctpop(mask)
    for start, stop in ((0, 8), (8, PLACES_MAX)):
        with ExitStack() as stack:
            if start:
                more = builder.icmp_unsigned(">", count, ir.IntType(64)(start))
                stack.enter_context(builder.if_then(more, likely=False))
            for lane in range(start, stop):
                place = builder.trunc(builder.cttz(mask, ir.IntType(1)(0)), ir.IntType(32))
                target = builder.gep(places, [ir.IntType(64)(lane)])
                builder.store(builder.add(place, base), target, align=1)
                mask = builder.and_(mask, builder.sub(mask, ir.IntType(64)(1)))


@intrinsic
def _put_places(
    _typing: object, _places: object, _count: object, _mask: object, _base: object
) -> _Typed:
    put = _places_by_vector if _compresses() else _places_one_by_one

    def emit(
        _context: object, builder: ir.IRBuilder, _signature: object, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        places = _place(builder, arguments[:2], 32)
        put(builder, places, arguments[2], builder.trunc(arguments[3], ir.IntType(32)))
        return _NOTHING

    return types.void(types.int64, types.int64, types.uint64, types.int64), emit


@intrinsic
def _prefetch(_typing: object, _address: object) -> _Typed:
    def emit(
        _context: object, builder: ir.IRBuilder, _signature: object, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        pointer, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        write, keep, data = (ir.Constant(flag, value) for value in (1, 3, 1))
        builder.call(function, [builder.inttoptr(arguments[0], pointer), write, keep, data])
        return _NOTHING

    return types.void(types.int64), emit


def _converted(builder: ir.IRBuilder, words: ir.Value) -> ir.Value:
    """The values of four words of eight digits: pairs, fours and eights of digits at a time."""
    value = builder.and_(words, ir.Constant(_WORDS_4, [int(_LOW_NIBBLES)] * 4))
    for lane_bits, factor in ((16, 10), (32, 100), (64, 10_000)):
        lanes = ir.VectorType(ir.IntType(lane_bits), 256 // lane_bits)
        half, lower, times = (
            ir.Constant(lanes, [number] * lanes.count)
            for number in (lane_bits // 2, (1 << lane_bits // 2) - 1, factor)
        )
        value = builder.bitcast(value, lanes)
        first = builder.mul(builder.and_(value, lower), times)
        value = builder.add(first, builder.lshr(value, half))
    return value


@intrinsic
def _convert_four(_typing: object, _address: object) -> _Typed:
    def emit(
        _context: object, builder: ir.IRBuilder, _signature: object, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        place = builder.inttoptr(arguments[0], _WORDS_4.as_pointer())
        builder.store(_converted(builder, builder.load(place, align=1)), place, align=1)
        return _NOTHING

    return types.void(types.int64), emit


@intrinsic
def _convert_four_wide(_typing: object, _address: object, _upper: object) -> _Typed:
    def emit(
        _context: object, builder: ir.IRBuilder, _signature: object, arguments: Sequence[ir.Value]
    ) -> ir.Value:
        place, above = (builder.inttoptr(argument, _WORDS_4.as_pointer()) for argument in arguments)
        upper = _converted(builder, builder.load(above, align=1))
        # It has 32 bits at most. Said so, the product takes one instruction instead of five.
        upper = builder.and_(upper, ir.Constant(_WORDS_4, [0xFFFF_FFFF] * 4))
        upper = builder.mul(upper, ir.Constant(_WORDS_4, [int(_TEN_TO_8)] * 4))
        lower = _converted(builder, builder.load(place, align=1))
        builder.store(builder.add(upper, lower), place, align=1)
        return _NOTHING

    return types.void(types.int64, types.int64), emit


# Each takes an address and the index of an element behind it; addresses needn't be aligned.
get_byte = cast(Callable[[int, int], int], _loader(8, types.int64))
get_index = cast(Callable[[int, int], int], _loader(32, types.int64))
get_field = cast(Callable[[int, int], int], _loader(64, types.int64))
get_word = cast(Callable[[int, int], uint64], _loader(64, types.uint64))
put_byte = cast(Callable[[int, int, int], None], _storer(8, types.int64))
put_index = cast(Callable[[int, int, int], None], _storer(32, types.int64))
put_field = cast(Callable[[int, int, int], None], _storer(64, types.int64))
put_word = cast(Callable[[int, int, uint64], None], _storer(64, types.uint64))

# Bit i of the result tells about the byte at the address + i.
no_digits_of_64 = cast(Callable[[int], uint64], _mask_of_64(_is_no_digit))
spaces_of_64 = cast(Callable[[int], uint64], _mask_of_64(_is_space))
line_feeds_of_64 = cast(Callable[[int], uint64], _mask_of_64(_is_line_feed))
points_of_64 = cast(Callable[[int], uint64], _mask_of_64(_is_point))
returns_of_64 = cast(Callable[[int], uint64], _mask_of_64(_is_return))
minuses_of_64 = cast(Callable[[int], uint64], _mask_of_64(_is_minus))

# The index of the lowest bit that is set; 64 if none is.
lowest_bit = cast(Callable[[uint64], int], _lowest_bit)
count_bits = cast(Callable[[uint64], int], _count_bits)
# How many bits above the highest that is set; 64 if none is.
zeros_above = cast(Callable[[uint64], int], _zeros_above)

# Whether the sum of two words, taken as signed, is none of 64 bits. Beside the addition it is one jump.
overflows = cast(Callable[[uint64, uint64], bool], _overflows)

# Stores, as elements of four bytes from an index on, a base plus the places of the lowest sixteen bits of a mask that are
# set. Whatever else lies within sixteen elements is spoilt.
put_places = cast(Callable[[int, int, uint64, int], None], _put_places)

# Asks for the cache line at an address, to be written soon. Any address is harmless.
prefetch = cast(Callable[[int], None], _prefetch)

# Replaces four words of eight digits each (the first digit in the lowest byte) by their values.
convert_four = cast(Callable[[int], None], _convert_four)

# Likewise, for numbers of up to sixteen digits: the first of them stand at the second address.
convert_four_wide = cast(Callable[[int, int], None], _convert_four_wide)


@compiled
def convert_words(column: int, count: int) -> None:
    """Turn words of eight digits at `column` into numbers; up to three words after them are spoilt."""
    for index in range(0, count, 4):
        convert_four(column + 8 * index)


@compiled
def convert_wide_words(column: int, upper: int, count: int) -> None:
    """Likewise, for numbers whose digits above the last eight are words at `upper`."""
    for index in range(0, count, 4):
        convert_four_wide(column + 8 * index, upper + 8 * index)


@compiled
def _eight_digits(word: uint64) -> uint64:
    word = ((word & _LOW_NIBBLES) * _TENS) >> uint64(8)
    word = ((word & _PAIRS) * _HUNDREDS) >> uint64(16)
    return ((word & _QUADS) * _TEN_THOUSANDS) >> uint64(32)


@compiled
def number_at(address: int, digits: int) -> uint64:
    """The number that `digits` (1 to 18) decimal digits at `address` spell."""
    if digits <= 8:
        return _eight_digits(get_word(address, 0) << uint64(64 - 8 * digits))
    last = _eight_digits(get_word(address + digits - 8, 0))
    if digits <= 16:
        return _eight_digits(get_word(address, 0) << uint64(128 - 8 * digits)) * _TEN_TO_8 + last
    middle = _eight_digits(get_word(address + digits - 16, 0))
    first = _eight_digits(get_word(address, 0) << uint64(192 - 8 * digits))
    return first * _TEN_TO_16 + middle * _TEN_TO_8 + last
