"""The settings of `qanat run metering`: declared here once, for the command, its help, the documentation and the checks."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from qanat.runtime.counting import OnBad, SameContent
from qanat.settings import CommonSettings, Duration, Size
from qanat.sources.files import After, Ready, Watch

# 6 M keys are 43 bytes each at worst (16 bytes a slot, tables grow by doubling and are at least 3/8 full): 256 MB; 171 MB on average.
MAX_KEYS = 6_000_000


class Progress(StrEnum):
    """How a run shows what it does."""

    AUTO = "auto"  # bars on a terminal, lines elsewhere
    BAR = "bar"
    LINES = "lines"
    NONE = "none"


def _about(text: str, **limits: float) -> msgspec.Meta:
    return msgspec.Meta(description=text, **limits)  # type: ignore[arg-type]  # ge, le, gt are floats or ints


class RunSettings(CommonSettings, frozen=True, kw_only=True):
    """Every setting of a run."""

    input: Annotated[Path, _about("The folder into which the files arrive.")]
    once: Annotated[
        bool, _about("Count what is there at the start, then end (for cron), instead of watching.")
    ] = False
    pattern: Annotated[str, _about("Only files whose names match, such as `*.txt*`.")] = "*"
    ready: Annotated[
        Ready,
        _about(
            "When a file is finished: `rename` (it got its name by a rename, and nobody has it open for writing), `side-file` "
            "(NAME.meta.json has its size and digest), `rest` (a heuristic: it rested for --rest)."
        ),
    ] = Ready.RENAME
    rest: Annotated[Duration, _about("With --ready rest: how long size and time must stay the same.")] = Duration(10.0)
    watch: Annotated[Watch, _about("How arrivals are noticed: by events, or by polling (network mounts).")] = Watch.AUTO
    poll: Annotated[Duration, _about("How often the folder is looked at when there are no events.")] = Duration(1.0)
    after: Annotated[After, _about("What happens to a counted file: moved to done/, kept, or deleted.")] = After.MOVE
    on_bad: Annotated[
        OnBad, _about("Malformed lines are quarantined as dead letters, or fail their file.")
    ] = OnBad.QUARANTINE
    bad_share_max: Annotated[
        float, _about("Above this share of malformed lines a file fails anyway.", ge=0, le=1)
    ] = 0.1
    letters_max: Annotated[
        int, _about("Above so many malformed lines a file fails, whatever their share.", ge=1)
    ] = 10_000_000
    same_content: Annotated[
        SameContent,
        _about("A file whose content was counted under another name is held, or counted."),
    ] = SameContent.HOLD
    max_keys: Annotated[
        int,
        _about(
            "Distinct consumers in memory at a time, at 22 to 43 bytes each. A file with more is read once per key range.",
            ge=1024,
        ),
    ] = MAX_KEYS
    threads: Annotated[int, _about("Threads that sum; 0 for one per core.", ge=0)] = 0
    whole_size: Annotated[
        Size, _about("Up to this size a file is one transaction; about 5 s of work.")
    ] = Size(4 << 30)
    part_size: Annotated[
        Size, _about("The size of the parts of a larger file, which several processes share.")
    ] = Size(1 << 30)
    rate_limit: Annotated[Size, _about("Bytes read per second at most; 0 for no limit.")] = Size(0)
    rollup_days_after: Annotated[
        Duration, _about("Hours of usage older than this become days; 0 for never.")
    ] = Duration(0)
    rollup_months_after: Annotated[
        Duration, _about("Days of usage older than this become months; 0 for never.")
    ] = Duration(0)
    rollup_every: Annotated[Duration, _about("How often usage is rolled up while running.")] = Duration(3600)
    accept_restored: Annotated[
        bool, _about("Go on though the database is older than the files in done/.")
    ] = False
    progress: Annotated[Progress, _about("Bars on a terminal, plain lines elsewhere.")] = Progress.AUTO
    serve: Annotated[bool, _about("Answer HTTP requests while running.")] = False
    host: Annotated[str, _about("Where --serve listens; elsewhere than on loopback a token is needed.")] = "127.0.0.1"
    port: Annotated[int, _about("The port of --serve.", ge=0, le=65535)] = 8765
    token: Annotated[str, _about("What clients must send as `Authorization: Bearer …`.")] = ""
