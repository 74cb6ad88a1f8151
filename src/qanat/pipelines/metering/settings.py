"""The settings of `qanat run metering`: declared here once, for the command, its help, the documentation and the checks."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from qanat.listening import Token
from qanat.pipelines.metering.kernel.layout import DECIMALS_MAX
from qanat.pipelines.metering.remote import RemoteAccess
from qanat.runtime.alarms import DEFAULT as ALARM
from qanat.runtime.counting import OnBad, SameContent
from qanat.service.stopping import STOP_TIMEOUT_S
from qanat.settings import Duration, Place, Size
from qanat.sources.files import After, Ready, Watch

# At worst 43 bytes each (16 bytes a slot, tables grow by doubling and are at least 3/8 full): 256 MB; 171 MB on average.
MAX_KEYS = 6_000_000


class Progress(StrEnum):
    """How a run shows what it does."""

    AUTO = "auto"  # bars on a terminal, lines elsewhere
    BAR = "bar"
    LINES = "lines"
    NONE = "none"


class RunSettings(RemoteAccess, frozen=True, kw_only=True):
    """Every setting of a run."""

    whole_table: ClassVar[bool] = True

    input: Annotated[
        Place,
        msgspec.Meta(
            description="The folder into which the files arrive: a path, or `sftp://USER@HOST/FOLDER`, `ftp://…`, `ftps://…`."
        ),
    ]
    once: Annotated[
        bool,
        msgspec.Meta(
            description="Count what is there at the start, then end (for cron), instead of watching."
        ),
    ] = False
    pattern: Annotated[
        str, msgspec.Meta(description="Only files whose names match, such as `*.txt*`.")
    ] = "*"
    ready: Annotated[
        Ready,
        msgspec.Meta(
            description="When a file is finished: `rename` (it got its name by a rename, and nobody has it open for writing),"
            " `side-file` (NAME.meta.json has its size and digest), `rest` (a heuristic: it rested for --rest)."
        ),
    ] = Ready.RENAME
    rest: Annotated[
        Duration,
        msgspec.Meta(description="With --ready rest: how long size and time must stay the same."),
    ] = Duration(10.0)
    watch: Annotated[
        Watch,
        msgspec.Meta(
            description="How arrivals are noticed: by events, or by polling (network mounts)."
        ),
    ] = Watch.AUTO
    poll: Annotated[
        Duration,
        msgspec.Meta(description="How often the folder is looked at when there are no events."),
    ] = Duration(1.0)
    announce: Annotated[
        Path | None,
        msgspec.Meta(
            description="Listen on a UNIX socket at this path, where writers announce finished files; none unless asked."
        ),
    ] = None
    announce_group: Annotated[
        str,
        msgspec.Meta(
            description="The group whose members may announce too; otherwise only the user of the run."
        ),
    ] = ""
    after: Annotated[
        After,
        msgspec.Meta(
            description="What happens to a counted file: moved to done/, kept, or deleted."
        ),
    ] = After.MOVE
    signed: Annotated[
        bool,
        msgspec.Meta(
            description="Amounts may be negative: corrections. Always the same for one store."
        ),
    ] = False
    decimals: Annotated[
        int,
        msgspec.Meta(
            description="Amounts may have so many digits behind a decimal point, and everything is counted in units of"
            " the last one. Always the same for one store.",
            ge=0,
            le=DECIMALS_MAX,
        ),
    ] = 0
    on_bad: Annotated[
        OnBad,
        msgspec.Meta(
            description="Malformed lines are quarantined as dead letters, or fail their file."
        ),
    ] = OnBad.QUARANTINE
    bad_share_max: Annotated[
        float,
        msgspec.Meta(
            description="Above this share of malformed lines a file fails anyway.", ge=0, le=1
        ),
    ] = 0.1
    letters_max: Annotated[
        int,
        msgspec.Meta(
            description="Above so many malformed lines a file fails, whatever their share.", ge=1
        ),
    ] = 10_000_000
    same_content: Annotated[
        SameContent,
        msgspec.Meta(
            description="A file whose content was counted under another name is held, or counted."
        ),
    ] = SameContent.HOLD
    max_keys: Annotated[
        int,
        msgspec.Meta(
            description="Distinct consumers in memory at a time, at 22 to 43 bytes each."
            " A file with more is read once per key range.",
            ge=1024,
        ),
    ] = MAX_KEYS
    threads: Annotated[
        int, msgspec.Meta(description="Threads that sum; 0 for one per core.", ge=0)
    ] = 0
    whole_size: Annotated[
        Size,
        msgspec.Meta(description="Up to this size a file is one transaction; about 5 s of work."),
    ] = Size(4 << 30)
    part_size: Annotated[
        Size,
        msgspec.Meta(
            description="The size of the parts of a larger file, which several processes share.",
            ge=1,
        ),
    ] = Size(1 << 30)
    rate_limit: Annotated[
        Size, msgspec.Meta(description="Bytes read per second at most; 0 for no limit.")
    ] = Size(0)
    rollup_days_after: Annotated[
        Duration,
        msgspec.Meta(description="Hours of usage older than this become days; 0 for never."),
    ] = Duration(0)
    rollup_months_after: Annotated[
        Duration,
        msgspec.Meta(description="Days of usage older than this become months; 0 for never."),
    ] = Duration(0)
    rollup_every: Annotated[
        Duration, msgspec.Meta(description="How often usage is rolled up while running.", gt=0)
    ] = Duration(3600)
    stop_timeout: Annotated[
        Duration,
        msgspec.Meta(
            description="How long an orderly stop may take after SIGTERM or Ctrl-C; then the process ends at once."
        ),
    ] = Duration(STOP_TIMEOUT_S)
    alarm_silence: Annotated[
        Duration,
        msgspec.Meta(description="Alarm when no file came for longer; 0 for never."),
    ] = Duration(ALARM.silence_s)
    alarm_failed: Annotated[
        int,
        msgspec.Meta(
            description="Alarm when so many files failed or are held within --alarm-window;"
            " 0 for never.",
            ge=0,
        ),
    ] = ALARM.failed
    alarm_dead_share: Annotated[
        float,
        msgspec.Meta(
            description="Alarm when more than this share of the lines within --alarm-window are open"
            " dead letters; 0 for never.",
            ge=0,
            le=1,
        ),
    ] = ALARM.dead_share
    alarm_lag_bytes: Annotated[
        Size,
        msgspec.Meta(description="Alarm when more bytes than these wait; 0 for never."),
    ] = Size(ALARM.lag_bytes)
    alarm_lag_age: Annotated[
        Duration,
        msgspec.Meta(description="Alarm when a file waits for longer; 0 for never."),
    ] = Duration(ALARM.lag_age_s)
    alarm_window: Annotated[
        Duration,
        msgspec.Meta(description="How far back failed files and dead letters make an alarm."),
    ] = Duration(ALARM.window_s)
    accept_restored: Annotated[
        bool,
        msgspec.Meta(description="Go on though the database is older than the files in done/."),
    ] = False
    progress: Annotated[
        Progress, msgspec.Meta(description="Bars on a terminal, plain lines elsewhere.")
    ] = Progress.AUTO
    serve: Annotated[bool, msgspec.Meta(description="Answer HTTP requests while running.")] = False
    host: Annotated[
        str,
        msgspec.Meta(
            description="Where --serve listens; elsewhere than on loopback a token is needed."
        ),
    ] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(description="The port of --serve.", ge=0, le=65535)] = 8765
    token: Token = ""
