"""Where the compiled code begins: one function that does every operation of `layout.py`.

It works on addresses: no arrays, no exceptions, no Python objects, and so no GIL. All that it is
made of lies in the modules that it imports from this folder.
"""

from qanat.pipelines.metering.kernel import layout, records, table
from qanat.pipelines.metering.kernel.compiled import compiled
from qanat.pipelines.metering.kernel.run import run
from qanat.pipelines.metering.kernel.swar import get_field, put_field


@compiled
def entry(operation: int, state: int) -> int:
    """Do one operation on the fields at the address `state`; return its answer."""
    if operation == layout.RUN:
        return run(state)
    source = get_field(state, layout.SOURCE)
    count = get_field(state, layout.SOURCE_COUNT)
    target = get_field(state, layout.TARGET)
    if operation == layout.REHASH:
        bits = get_field(state, layout.TARGET_BITS)
        thorough = get_field(state, layout.TARGET_THOROUGH)
        range_bits = get_field(state, layout.TARGET_RANGE_BITS)
        table.rehash(source, count, target, bits, thorough, range_bits)
        return 0
    if operation == layout.COMPACT:
        return table.compact(source, count)
    if operation == layout.SORT:
        records.sort(source, count, target)
        return 0
    other = get_field(state, layout.OTHER)
    other_count = get_field(state, layout.OTHER_COUNT)
    wrapped = get_field(state, layout.WRAPPED)
    merged, wraps = records.merge(source, count, other, other_count, target, wrapped)
    put_field(state, layout.WRAPPED_COUNT, wraps)
    return merged
