"""Putting a run of `metering` together from its settings."""

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from qanat.clock import Clock
from qanat.interfaces import Store
from qanat.pipelines.metering import PIPELINE, STAGE
from qanat.pipelines.metering.alarms import watched
from qanat.pipelines.metering.grammar import settle
from qanat.pipelines.metering.lines import Grammar
from qanat.pipelines.metering.operations import remember_input
from qanat.pipelines.metering.remote import access_of, fetching, remote_folder
from qanat.pipelines.metering.roll_ups import RollUps, scheduled
from qanat.pipelines.metering.settings import RunSettings
from qanat.pipelines.metering.transform import SumFiles, cores
from qanat.runtime.alarms import remember
from qanat.runtime.commit import Committer
from qanat.runtime.counting import Rules
from qanat.runtime.filerun import FileRun, Limits
from qanat.runtime.loop import Steps
from qanat.runtime.plan import plan
from qanat.session import open_to_hold
from qanat.sources.files import After, Folder, FolderOptions
from qanat.sources.remote import (
    RemoteFolder,
    RemoteOptions,
    address_of,
    is_remote,
    spool_folder,
)
from qanat.telemetry import Telemetry, log


@dataclass(frozen=True, slots=True)
class Assembled:
    """What a run consists of."""

    run: FileRun
    store: Store
    folder: Folder | RemoteFolder
    roll_ups: RollUps


def folder_of(settings: RunSettings, clock: Clock) -> Folder | RemoteFolder:
    """Open the folder that the settings name. To one on a server nothing connects yet.

    Raises:
        ConfigError: It isn't there, or can't be used as asked.
        MissingExtra: The driver of a remote one isn't installed.
    """
    if is_remote(settings.input):
        address = address_of(settings.input)
        remote = RemoteOptions(
            address=address,
            spool=spool_folder(Path(settings.data_dir), PIPELINE.name, address.key),
            access=access_of(settings),
            pattern=settings.pattern,
            ready=settings.ready,
            rest_s=float(settings.rest),
            after=settings.after,
            poll_s=float(settings.poll),
            spool_bytes_max=int(settings.remote_spool),
        )
        return remote_folder(remote, clock)
    options = FolderOptions(
        path=Path(settings.input),
        pattern=settings.pattern,
        ready=settings.ready,
        rest_s=float(settings.rest),
        after=settings.after,
        poll_s=float(settings.poll),
        watch=settings.watch,
    )
    return Folder(options, clock)


@contextmanager
def assembled(
    settings: RunSettings, clock: Clock, telemetry: Telemetry, stop: threading.Event
) -> Iterator[Assembled]:
    """Open everything that a run needs, and close it at the end.

    Raises:
        ConfigError: A setting can't be used.
        Refused: The pipeline would count twice with this store.
        Busy: The store, or the folder, is in another instance's hands.
    """
    folder = folder_of(settings, clock)
    threads = settings.threads or cores()
    store = open_to_hold(PIPELINE, settings, clock, threads=threads)
    try:
        plan(PIPELINE, store.capabilities)
        store.migrate(PIPELINE.tables)
        settle(Committer(store, PIPELINE.name, STAGE, clock, telemetry), grammar_of(settings))
        with folder.claim(store.identity, PIPELINE.name, described(settings)) as claim:
            if claim.before is not None:
                log("folder.rebound", before=claim.before)
            roll_ups = scheduled(settings, store, clock, telemetry, stop)
            run = _run(settings, store, folder, clock, telemetry, stop, (roll_ups.steps,))
            remember_input(run.committer(), settings.input)
            remember(run.committer(), watched(settings))
            with ExitStack() as stack:
                if isinstance(folder, RemoteFolder):
                    stack.enter_context(fetching(folder, store, STAGE, _owner()))
                yield Assembled(run, store, folder, roll_ups)
    finally:
        folder.close()
        store.close()


def grammar_of(settings: RunSettings) -> Grammar:
    """Return the grammar that the settings ask for."""
    return Grammar(settings.signed, settings.decimals)


def described(settings: RunSettings) -> str:
    """Name the store for people, without its password."""
    scheme, _, rest = settings.store.partition(":")
    if "@" in rest:
        return f"{scheme}://…@{rest.rpartition('@')[2].partition('?')[0]}"
    return f"{settings.store} in {Path(settings.data_dir).resolve()}"


def _run(
    settings: RunSettings,
    store: Store,
    folder: Folder | RemoteFolder,
    clock: Clock,
    telemetry: Telemetry,
    stop: threading.Event,
    others: Sequence[Steps],
) -> FileRun:
    remembered = None if settings.accept_restored else folder.remembered(store.identity)
    return FileRun(
        pipeline=PIPELINE.name,
        stage=STAGE,
        store=store,
        source=folder,
        transform=SumFiles(settings.threads or cores(), settings.max_keys, grammar_of(settings)),
        rules=Rules(settings.on_bad, settings.same_content, settings.bad_share_max),
        limits=Limits(
            int(settings.whole_size),
            int(settings.part_size),
            float(settings.rate_limit),
            settings.letters_max,
        ),
        clock=clock,
        telemetry=telemetry,
        keeps_files=settings.after is After.KEEP,
        once=settings.once,
        remembered=remembered,
        others=others,
        stop=stop,
    )


def _owner() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
