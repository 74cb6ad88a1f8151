"""The summing kernel: compiled code that turns bytes of lines into sums per consumer.

`summing.py` is what callers use. `entry.py` is where the compiled code begins; `native.py` compiles it and keeps it.
"""
