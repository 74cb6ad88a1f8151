"""The interfaces between the runtime and the world. Read this first.

Each docstring is a contract: who calls, when, whether it may block, what empty means, what each error makes the runtime do.
`qanat.testing` has one suite of laws per interface; an implementation is right when it passes them.
"""

from qanat.interfaces.engines import Engine, Statement
from qanat.interfaces.logs import Log, LogOptions, LogTransaction, Span, Trimmed
from qanat.interfaces.outputs import Capabilities, Change, Commit, Output, Scalar
from qanat.interfaces.sources import Source, WakingSource, WorkSource
from qanat.interfaces.stores import Reader, Store, StoreOptions, Transaction

__all__ = [
    "Capabilities",
    "Change",
    "Commit",
    "Engine",
    "Log",
    "LogOptions",
    "LogTransaction",
    "Output",
    "Reader",
    "Scalar",
    "Source",
    "Span",
    "Statement",
    "Store",
    "StoreOptions",
    "Transaction",
    "Trimmed",
    "WakingSource",
    "WorkSource",
]
