"""Machine words from memory for the kernel: unaligned loads, bit masks of 64 bytes, eight digits at a time.

Each function is a few LLVM instructions on an address. They are written as portable LLVM (vectors included), so that the
compiler picks AVX2, AVX-512 or NEON by itself. Nothing here checks an address: callers pad their buffers.
"""

# The intrinsics are typed by their LLVM signatures; numba ships no annotations for them.
# mypy: disable-error-code="misc,no-untyped-def,no-untyped-call"
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy import uint64

from qanat.pipelines.metering.kernel.compiled import compiled

_BYTES_64 = ir.VectorType(ir.IntType(8), 64)
_WORDS_4 = ir.VectorType(ir.IntType(64), 4)

_LOW_NIBBLES = uint64(0x0F0F0F0F0F0F0F0F)
_PAIRS = uint64(0x00FF00FF00FF00FF)
_QUADS = uint64(0x0000FFFF0000FFFF)
# x * (1 + 256 * 10) adds ten times each byte to the byte above it; the next two do so for pairs and for fours.
_TENS = uint64(1 + (10 << 8))
_HUNDREDS = uint64(1 + (100 << 16))
_TEN_THOUSANDS = uint64(1 + (10_000 << 32))
_TEN_TO_8 = uint64(10**8)
_TEN_TO_16 = uint64(10**16)


def _loader(bits, result):
    @intrinsic
    def load(_typing, _base, _index):
        def emit(_context, builder, _signature, arguments):
            word = ir.IntType(bits)
            place = builder.gep(builder.inttoptr(arguments[0], word.as_pointer()), [arguments[1]])
            loaded = builder.load(place, align=1)
            return builder.zext(loaded, ir.IntType(64)) if bits < 64 else loaded

        return result(types.int64, types.int64), emit

    return load


def _storer(bits, value_type):
    @intrinsic
    def store(_typing, _base, _index, _value):
        def emit(context, builder, _signature, arguments):
            word = ir.IntType(bits)
            place = builder.gep(builder.inttoptr(arguments[0], word.as_pointer()), [arguments[1]])
            value = builder.trunc(arguments[2], word) if bits < 64 else arguments[2]
            builder.store(value, place, align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, value_type), emit

    return store


# Each takes an address and an index of elements behind it; addresses needn't be aligned.
get_byte = _loader(8, types.int64)
get_index = _loader(32, types.int64)
get_field = _loader(64, types.int64)
get_word = _loader(64, types.uint64)
put_byte = _storer(8, types.int64)
put_index = _storer(32, types.int64)
put_field = _storer(64, types.int64)
put_word = _storer(64, types.uint64)


def _mask_of_64(compare):
    @intrinsic
    def mask(_typing, _address):
        def emit(_context, builder, _signature, arguments):
            text = builder.load(builder.inttoptr(arguments[0], _BYTES_64.as_pointer()), align=1)
            return builder.bitcast(compare(builder, text), ir.IntType(64))

        return types.uint64(types.int64), emit

    return mask


def _is_no_digit(builder, text):
    distance = builder.sub(text, ir.Constant(_BYTES_64, [48] * 64))
    return builder.icmp_unsigned(">", distance, ir.Constant(_BYTES_64, [9] * 64))


def _is_line_feed(builder, text):
    return builder.icmp_unsigned("==", text, ir.Constant(_BYTES_64, [10] * 64))


# Bit i of the result tells about byte i.
no_digits_of_64 = _mask_of_64(_is_no_digit)
line_feeds_of_64 = _mask_of_64(_is_line_feed)


@intrinsic
def lowest_bit(_typing, _word):
    """Index of the lowest set bit; anything below 64 for the word 0."""

    def emit(_context, builder, _signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), emit


@intrinsic
def count_bits(_typing, _word):
    """How many bits of the word are set."""

    def emit(_context, builder, _signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), emit


@intrinsic
def prefetch(_typing, _address):
    """Ask for the cache line at an address, to be written soon. Any address is harmless."""

    def emit(context, builder, _signature, arguments):
        pointer = ir.IntType(8).as_pointer()
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        write, keep, data = (ir.Constant(flag, value) for value in (1, 3, 1))
        builder.call(function, [builder.inttoptr(arguments[0], pointer), write, keep, data])
        return context.get_dummy_value()

    return types.void(types.int64), emit


@intrinsic
def _convert_four(_typing, _address):
    """Replace four words of eight digits each (first digit in the lowest byte) by their values, in place."""

    def emit(context, builder, _signature, arguments):
        place = builder.inttoptr(arguments[0], _WORDS_4.as_pointer())
        value = builder.and_(builder.load(place, align=8), ir.Constant(_WORDS_4, [int(_LOW_NIBBLES)] * 4))
        for lane_bits, factor in ((16, 10), (32, 100), (64, 10_000)):
            lanes = ir.VectorType(ir.IntType(lane_bits), 256 // lane_bits)

            def every(number, lanes=lanes):
                return ir.Constant(lanes, [number] * lanes.count)

            value = builder.bitcast(value, lanes)
            first = builder.and_(value, every((1 << lane_bits // 2) - 1))
            second = builder.lshr(value, every(lane_bits // 2))
            value = builder.add(builder.mul(first, every(factor)), second)
        builder.store(value, place, align=8)
        return context.get_dummy_value()

    return types.void(types.int64), emit


@compiled
def convert_words(column, count):
    """Turn `count` words of eight digits at `column` into numbers; up to three words after them are spoilt."""
    for index in range(0, count, 4):
        _convert_four(column + 8 * index)


@compiled
def _eight_digits(word):
    word = ((word & _LOW_NIBBLES) * _TENS) >> uint64(8)
    word = ((word & _PAIRS) * _HUNDREDS) >> uint64(16)
    return ((word & _QUADS) * _TEN_THOUSANDS) >> uint64(32)


@compiled
def number_at(address, digits):
    """The number that `digits` (1 to 18) decimal digits at `address` spell."""
    if digits <= 8:
        return _eight_digits(get_word(address, 0) << (64 - 8 * digits))
    last = _eight_digits(get_word(address + digits - 8, 0))
    if digits <= 16:
        return _eight_digits(get_word(address, 0) << (128 - 8 * digits)) * _TEN_TO_8 + last
    middle = _eight_digits(get_word(address + digits - 16, 0))
    first = _eight_digits(get_word(address, 0) << (192 - 8 * digits))
    return first * _TEN_TO_16 + middle * _TEN_TO_8 + last
