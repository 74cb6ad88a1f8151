"""The settings of a run of streams: declared here once, for the command, its help, the documentation and the checks."""

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec

from qanat.listening import Host, Port, Token
from qanat.service.stopping import STOP_TIMEOUT_S
from qanat.settings import CommonSettings, Duration, Place, Size


class Transforms(StrEnum):
    """Where the Python transforms of large batches run."""

    PROCESS = "process"
    THREAD = "thread"


class LogSettings(CommonSettings, frozen=True, kw_only=True):
    """The settings of every command that opens a pipeline's store and its log."""

    log: Annotated[str, msgspec.Meta(description="Where the topics are: `sqlite:[FILE]`.")] = (
        "sqlite:"
    )


class StreamSettings(LogSettings, frozen=True, kw_only=True):
    """Every setting of a run of streams."""

    whole_table: ClassVar[bool] = True

    # Look-ups into millions of rows beside what is written: with 192 MiB they pushed each other's blocks out.
    store_memory: Annotated[
        Size, msgspec.Meta(description="What DuckDB may use in memory; it spills to disk beyond.")
    ] = Size(512 << 20)
    input: Annotated[
        Place,
        msgspec.Meta(
            description="The URL of the stream; the pipeline's own by default. Commas join several streams of one server."
        ),
    ] = Place("")
    since: Annotated[
        str,
        msgspec.Meta(
            description="Where to begin at the very first start: a time such as `2026-01-31T00:00Z`; otherwise now."
        ),
    ] = ""
    user_agent: Annotated[
        str,
        msgspec.Meta(
            description="How the source's server is told who reads, with an address to write to; Wikimedia asks for both."
        ),
    ] = ""
    accept_gap: Annotated[
        bool,
        msgspec.Meta(
            description="Go on though the source's history no longer reaches back to where reading stopped."
        ),
    ] = False
    read_timeout: Annotated[
        Duration,
        msgspec.Meta(description="A connection that is silent for so long is opened anew."),
    ] = Duration(30.0)
    silence: Annotated[
        Duration,
        msgspec.Meta(
            description="A source without a record for so long counts as stalled; 0: never."
        ),
    ] = Duration(120.0)
    backlog: Annotated[
        int,
        msgspec.Meta(
            description="Beyond so many records that wait in a topic, the stage before it waits too.",
            ge=1000,
        ),
    ] = 10_000_000
    once: Annotated[
        bool,
        msgspec.Meta(
            description="End when the source gave nothing for --idle and all that came is in the tables."
        ),
    ] = False
    idle: Annotated[
        Duration,
        msgspec.Meta(
            description="With --once: when the source counts as read; one that can't be reached never does."
        ),
    ] = Duration(5.0)
    threads: Annotated[
        int,
        msgspec.Meta(
            description="Threads of the store's engine; 0: half of the cores, as the stages need the others.",
            ge=0,
        ),
    ] = 0
    transforms: Annotated[
        Transforms,
        msgspec.Meta(
            description="Where Python transforms large batches: in a `process` beside the run, or in the stage's `thread`."
        ),
    ] = Transforms.PROCESS
    serve: Annotated[
        bool, msgspec.Meta(description="Answer over HTTP as well, with the dashboard.")
    ] = False
    host: Host = "127.0.0.1"
    port: Port = 8765
    token: Token = ""
    stop_timeout: Annotated[
        Duration,
        msgspec.Meta(
            description="An orderly stop that takes longer ends the process all the same."
        ),
    ] = Duration(STOP_TIMEOUT_S)
