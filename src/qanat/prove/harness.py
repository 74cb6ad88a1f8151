"""Carrying out scenarios: each on a ground and a database of its own, several at once, all ended in order."""

import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from qanat.errors import ConfigError, QanatError
from qanat.prove.announcements import announcement_scenarios
from qanat.prove.bout import Bout
from qanat.prove.connections import connection_scenarios
from qanat.prove.databases import Databases, Local
from qanat.prove.disks import disk_scenarios
from qanat.prove.disturbances import disturbance_scenarios
from qanat.prove.extent import Extent
from qanat.prove.full_disk import can_mount, small_disk
from qanat.prove.instances import instance_scenarios
from qanat.prove.kills import kill_scenarios
from qanat.prove.ledger import Ledger, Line
from qanat.prove.processes import Children, Interrupted
from qanat.prove.proof import Proof
from qanat.prove.repeats import repeat_scenarios
from qanat.prove.scenario import Scenario
from qanat.prove.servers import OwnServer

Catalogue: TypeAlias = "Callable[..., Sequence[Scenario]]"
"""Lists scenarios, called as `file_scenarios` is."""


def file_scenarios(
    proof: Proof, databases: Databases, extent: Extent, *, mounts: bool
) -> Sequence[Scenario]:
    """List the scenarios of a pipeline of files.

    Args:
        proof: The pipeline's.
        databases: Where they get their databases from.
        extent: How much is proved.
        mounts: Whether a small disk can be mounted.
    """
    hits = extent.hits
    return [
        *kill_scenarios(
            proof, hits=hits, kills=extent.kills, items=extent.items, quick=extent.quick
        ),
        *repeat_scenarios(hits=hits),
        *announcement_scenarios(proof, hits=hits, quick=extent.quick),
        *instance_scenarios(databases, hits=hits),
        *connection_scenarios(databases, hits=hits),
        *disturbance_scenarios(proof, hits=hits),
        *disk_scenarios(proof, databases, hits=hits, mounts=mounts),
    ]


@dataclass(frozen=True, slots=True)
class Harness:
    """Proves one pipeline on one kind of store.

    Attributes:
        place: A folder for everything; each scenario has one of its own in it.
        keep: Leave the grounds behind, to look around in.
        tell: Called with each line as soon as it is there.
        catalogue: Lists the scenarios of this kind of pipeline.
    """

    proof: Proof
    databases: Databases
    children: Children
    place: Path
    keep: bool
    tell: Callable[[Line], None]
    catalogue: Catalogue = file_scenarios

    def prove(self, extent: Extent) -> Ledger:
        """Carry out what `extent` says.

        Raises:
            ConfigError: No scenario begins with what `only` names.
            KeyboardInterrupt: Ctrl-C; every run was ended before.
        """
        started_s = time.monotonic()
        scenarios = self.chosen(extent)
        lines = self._carried_out(scenarios, extent)
        seconds = time.monotonic() - started_s
        return Ledger(self.proof.pipeline, self.databases.described, extent.seed, lines, seconds)

    def chosen(self, extent: Extent) -> Sequence[Scenario]:
        """List the scenarios of `extent`, those that have to be left out here as well."""
        scenarios = self.catalogue(self.proof, self.databases, extent, mounts=can_mount(self.place))
        for start in extent.only:
            if not any(scenario.name.startswith(start) for scenario in scenarios):
                names = ", ".join(scenario.name for scenario in scenarios)
                raise ConfigError("--only", start, f"the beginning of one of {names}")
        if not extent.only:
            return scenarios
        return [scenario for scenario in scenarios if scenario.name.startswith(extent.only)]

    def _carried_out(self, scenarios: Sequence[Scenario], extent: Extent) -> Sequence[Line]:
        """Run the scenarios that may run together side by side, then the others one by one."""
        together = [scenario for scenario in scenarios if not scenario.alone]
        alone = [scenario for scenario in scenarios if scenario.alone]
        pool = ThreadPoolExecutor(extent.jobs, thread_name_prefix="prove")
        try:
            lines = self._results(pool, together, extent)
            for scenario in alone:
                lines |= self._results(pool, [scenario], extent)
        finally:
            self.children.end_all()
            pool.shutdown(cancel_futures=True)
        return [lines[scenario.name] for scenario in scenarios]

    def _results(
        self, pool: ThreadPoolExecutor, scenarios: Sequence[Scenario], extent: Extent
    ) -> dict[str, Line]:
        futures = [pool.submit(self._line, scenario, extent.seed) for scenario in scenarios]
        left: set[Future[Line]] = set(futures)
        while (
            left
        ):  # in short waits, because on Windows a longer one can't be interrupted by Ctrl-C
            _, left = wait(left, timeout=0.2)
        return {line.scenario: line for line in (future.result() for future in futures)}

    def _line(self, scenario: Scenario, seed: int) -> Line:
        if scenario.left_out:
            line = Line(scenario.name, left_out=scenario.left_out)
        else:
            started_s = time.monotonic()
            try:
                with self._bout(scenario, seed) as bout:
                    line = self._outcome(scenario, bout, started_s)
            except Interrupted:
                raise
            except (QanatError, OSError) as error:  # no ground could be made
                line = Line(scenario.name, problems=(str(error),))
        self.tell(line)
        return line

    @staticmethod
    def _outcome(scenario: Scenario, bout: Bout, started_s: float) -> Line:
        """Carry a scenario out and compare. When something goes wrong, the comparison tells more."""
        try:
            scenario.act(bout)
        except Interrupted:
            raise
        except (QanatError, OSError) as error:
            bout.problem(str(error))
        return bout.line(time.monotonic() - started_s)

    @contextmanager
    def _bout(self, scenario: Scenario, seed: int) -> Iterator[Bout]:
        place = self.place / scenario.name.replace(":", "-")
        with ExitStack() as stack:
            if scenario.small_disk:
                stack.enter_context(small_disk(place))
            else:
                place.mkdir()
                if not self.keep:
                    stack.callback(shutil.rmtree, place)
            store, server = self._store(scenario, place, stack)
            workload = scenario.workload or next(iter(self.proof.points.values()))
            ground = self.proof.ground(place, store, workload)
            stack.callback(ground.close)
            yield Bout(
                name=scenario.name,
                proof=self.proof,
                ground=ground,
                store=store,
                server=server,
                children=self.children,
                place=place,
                chance=random.Random(f"{seed} {scenario.name}"),
                wanted=scenario.wanted,
            )

    def _store(
        self, scenario: Scenario, place: Path, stack: ExitStack
    ) -> tuple[str, OwnServer | None]:
        """Make the scenario's database; return its URL, and its server if that may be killed."""
        if scenario.own_server:
            server = stack.enter_context(OwnServer(place / "server"))
            return f"postgresql+local:{server.directory}", server
        disk = place if scenario.small_disk else None
        store = stack.enter_context(self.databases.fresh(disk))
        return store, self.databases.server if isinstance(self.databases, Local) else None
