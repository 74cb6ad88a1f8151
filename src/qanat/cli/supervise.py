"""`qanat supervise`: a run with a parent that tells of its death and starts it again."""

from qanat.cli.running import PIPELINE_AND_OPTIONS, passing_on, program, running
from qanat.clock import SystemClock
from qanat.options import settings_command
from qanat.service.stopping import STOP_TIMEOUT_S
from qanat.service.supervisor import SuperviseSettings, Supervisor, environment
from qanat.service.tell import check


def supervise(settings: SuperviseSettings, pipeline: str, run_options: tuple[str, ...]) -> int:
    """Supervise `qanat run PIPELINE RUN_OPTIONS` until it ends."""
    check(settings)
    described = running(pipeline, run_options)
    run = described.settings()
    return Supervisor(
        name=described.name,
        command=[*program(), "run", pipeline, *run_options],
        settings=settings,
        clock=SystemClock(),
        stop_timeout_s=float(getattr(run, "stop_timeout", STOP_TIMEOUT_S)),
        once=bool(getattr(run, "once", False)),
        environment=environment(),
    ).run()


SUPERVISE = passing_on(
    settings_command(
        "supervise",
        SuperviseSettings,
        supervise,
        help="Run PIPELINE as `qanat run` does, with RUN_OPTIONS, and watch it: tell of its death whatever killed it,"
        " end it if it hangs, start it again. Options of the supervisor stand before PIPELINE. Under systemd nothing of"
        " this is needed: see `qanat export systemd`.",
        pipeline=None,
        extra_params=PIPELINE_AND_OPTIONS,
    )
)
