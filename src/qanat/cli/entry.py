"""Where the command begins and ends: what it prints when something is wrong, and its exit code.

0 done; 1 failed, or a file failed or is held; 2 wrong use; 130 stopped by Ctrl-C; 141 nobody reads
the output any more.
"""

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from qanat.cli.lazy import NobodyReads, Root
from qanat.errors import QanatError

# 128 + SIGINT and 128 + SIGPIPE: what a shell reports for a program that the signal ended.
INTERRUPTED = 130
NOBODY_READS = 141

# New objects before Python looks for garbage among them; 700 are usual. All imports of a run make 80,000.
GARBAGE_MIN = 50_000

HELP = """Data from its source to an answer, every record counted exactly once.

To begin: `qanat demo metering`. Each command tells more with --help.
"""


def program() -> int:
    """Be the process `qanat`: run the command, and end without taking apart what ends anyway."""
    leaving = _Leaving()
    # Registered first and so called last: all threads have ended then, and whatever the command used has tidied up.
    atexit.register(leaving)
    _make_lean()
    leaving.code = main()
    return leaving.code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command `qanat` with `arguments` (those of this process) and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            _prepare(stream)
    try:
        code = _root().main(
            sys.argv[1:] if arguments is None else list(arguments),
            prog_name="qanat",
            standalone_mode=False,
            windows_expand_args=False,  # `$name` and `*` belong to a statement
        )
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except QanatError as error:
        return _told(error.message, error.hint, error.exit_code)
    except (BrokenPipeError, NobodyReads):
        # What is still buffered goes nowhere, instead of failing once more at the interpreter's
        # end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except OSError as error:
        return _told(str(error), "", QanatError.exit_code)
    return code if isinstance(code, int) else 0


class _Leaving:
    """Ends the process. Python's own way searches all of its memory for garbage, module by module: 0.1 s."""

    code: int | None = None

    def __call__(self) -> None:
        if self.code is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.code)


def _make_lean() -> None:
    """Spare the process what no command needs: 0.05 s of processor time each."""
    # Nothing here multiplies matrices, and numpy's library would start threads that spin for a while.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # What imports make is never garbage, and yet was searched for some a hundred times.
    gc.set_threshold(GARBAGE_MIN)


def _prepare(stream: TextIOWrapper) -> None:
    """Data that is piped or written to a file is the same bytes on every system: UTF-8, and LF. A
    terminal that lacks a character shows its code; nothing fails because of it.
    """
    stream.reconfigure(errors="backslashreplace", newline="\n")
    if not stream.isatty() and "PYTHONIOENCODING" not in os.environ:
        stream.reconfigure(encoding="utf-8")


def _root() -> click.Group:
    version = click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_print_version,
        help="Show the version and exit.",
    )
    return Root("qanat", help=HELP, params=[version], no_args_is_help=True)


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"qanat {version('qanat')}")
        ctx.exit()


def _told(message: str, hint: str, exit_code: int) -> int:
    lines = [f"qanat: {message}", *(f"  {line}" for line in hint.splitlines())]
    sys.stderr.write("\n".join(lines) + "\n")
    return exit_code
