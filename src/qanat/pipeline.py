"""Declarations: what a pipeline consists of. Immutable, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from qanat.tables import Table, WriteMode


class Order(StrEnum):
    """What an input promises about its records; the plan derives the guarantee from it."""

    ORDERED = "ordered"  # partitions with positions: progress by compare-and-set
    ITEMS = "items"  # ids in any order, perhaps twice: the ledger
    NONE = "none"  # neither positions nor ids: a repeat can't be recognised


@dataclass(frozen=True, slots=True)
class Input:
    """Where a stage reads.

    Attributes:
        kind: As the user names it: `folder`, `memory`, …
        name: What it is called in the picture.
        order: How its records can be told apart.
        repeats: A resume yields the last record again; needs `deduplicate_by`.
        deduplicate_by: The column of a record's own id.
    """

    kind: str
    name: str
    order: Order
    repeats: bool = False
    deduplicate_by: str | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One edge from a stage to a table."""

    table: Table
    mode: WriteMode


@dataclass(frozen=True, slots=True)
class Stage:
    """Reads one input, transforms one batch, commits once to one output.

    Attributes:
        transform: Import string `module:attribute` of what turns a batch or a file into rows. A string, so that a declaration
            loads no kernel and no driver.
    """

    name: str
    input: Input
    transform: str
    writes: tuple[Write, ...]
    about: str = ""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages joined by tables, and what `qanat` can do with them.

    Attributes:
        tables: What a user may ask for, the written ones included.
        operations: Import strings of what the command offers besides, by name: `run`, `demo`, `generate`, `prove`, ….
        api: Import string of a function that makes the FastAPI router of what is the pipeline's own, from a session.
        offers: Import string of a function that makes the operations that a session can call.
    """

    name: str
    title: str
    stages: tuple[Stage, ...]
    tables: tuple[Table, ...] = ()
    operations: Mapping[str, str] = field(default_factory=dict)
    api: str | None = None
    offers: str | None = None
