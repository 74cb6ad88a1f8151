"""Units for systemd: the run itself, and the one that tells when it is given up."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qanat.cli.export_words import folders
from qanat.cli.running import Running, program
from qanat.service.notify import START_TIMEOUT_S, WATCHDOG_S
from qanat.service.stopping import SIGNALLED, STOP_TIMEOUT_S
from qanat.service.supervisor import GRACE_S

# Told when this name's unit is given up.
FAILED = "-failed"

_RUN = """\
# Written by `qanat export systemd`. To change something: systemctl edit {unit}
[Unit]
Description=Qanat {pipeline}: {title}
Wants=network-online.target
After=network-online.target
# Five deaths within this time, and it is given up; whoever OnFailure= tells has to look.
StartLimitIntervalSec=10min
StartLimitBurst=5
OnFailure={failed}

[Service]
# It tells when it is at work, what it does, and that it gets on.
Type=notify
NotifyAccess=main
ExecStart={command}
ExecReload=/bin/kill -HUP $MAINPID
# Tells of each death with its reason; after an orderly end it does nothing.
ExecStopPost=-{died} --name %n
WorkingDirectory={directory}
EnvironmentFile=-{environment_file}
{environment}\
User={user}

Restart=on-failure
RestartSec=5s
# Wrong use: the same command would end the same way.
RestartPreventExitStatus=2
# An orderly stop that took too long. Nothing is half done.
SuccessExitStatus={forced}
TimeoutStartSec={start_s:.0f}s
TimeoutStopSec={stop_s:.0f}s
WatchdogSec={watchdog_s:.0f}s

# It writes where it has to, and nowhere else. No MemoryDenyWriteExecute=: the kernel that sums is compiled when it starts.
StateDirectory=qanat
CacheDirectory=qanat
Environment=NUMBA_CACHE_DIR=%C/qanat
ReadWritePaths={writable}
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
# The one privilege: to ask whether somebody still writes to a file that is another user's (fcntl(2), F_SETLEASE).
CapabilityBoundingSet=CAP_LEASE
AmbientCapabilities=CAP_LEASE
NoNewPrivileges=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077
# A dump of its memory would hold what it counts.
LimitCORE=0

[Install]
WantedBy=multi-user.target
"""

_FAILED = """\
# Written by `qanat export systemd`.
[Unit]
Description=Tells that {unit} is given up

[Service]
Type=oneshot
ExecStart={died} --given-up --name {unit}
WorkingDirectory=-{directory}
EnvironmentFile=-{environment_file}
User={user}
TimeoutStartSec={stop_s:.0f}s
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
NoNewPrivileges=yes
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a service runs, and as whom."""

    user: str
    directory: Path
    environment_file: str


def units(run: Running, words: Sequence[str], place: Place) -> dict[str, str]:
    """Return the units by their file names.

    Raises:
        ConfigError: The run would refuse its settings.
    """
    settings = run.settings(place.directory, {})
    unit, failed = f"qanat-{run.name}.service", f"qanat-{run.name}{FAILED}.service"
    stop_s = float(getattr(settings, "stop_timeout", STOP_TIMEOUT_S)) + GRACE_S
    writable = folders(run, settings, place.directory)
    values = {
        "unit": unit,
        "failed": failed,
        "pipeline": run.name,
        "title": run.title,
        "command": " ".join(map(word, words)),
        "died": " ".join(map(word, [*program(), "died"])),
        "directory": path(place.directory),
        "environment_file": path(place.environment_file),
        # Its lines about progress would fill the journal; the status has them.
        "environment": "Environment=QANAT_PROGRESS=none\n" if hasattr(settings, "progress") else "",
        "user": place.user,
        "forced": SIGNALLED + 15,
        "start_s": START_TIMEOUT_S,
        "stop_s": stop_s,
        "watchdog_s": WATCHDOG_S,
        "writable": " ".join(word(str(one)) for one in writable),
    }
    return {unit: _RUN.format(**values), failed: _FAILED.format(**values)}


def word(text: str) -> str:
    """Quote a word of a command line as systemd reads it (systemd.service(5), systemd.syntax(7))."""
    escaped = text.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\")
    plain = escaped.replace('"', '\\"').replace("\n", "\\n")
    return f'"{plain}"' if not text or any(c in " \t\n\"';\\" for c in text) else plain


def path(value: Path | str) -> str:
    """Write a path where systemd takes the rest of the line for it: only its own specifiers are escaped."""
    return str(value).replace("%", "%%")
