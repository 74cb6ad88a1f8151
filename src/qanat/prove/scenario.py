"""What a scenario is: a name, a fault, how often it has to happen, and what brings it about."""

from collections.abc import Callable
from dataclasses import dataclass

from qanat.prove.bout import Bout


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the ledger.

    Attributes:
        name: `GROUP:WHAT`; `--only` takes the beginning of it.
        act: Carries it out up to the drained end. Leaves the comparison to the harness.
        wanted: How often the fault has to happen.
        workload: Which of the pipeline's workloads it needs; empty for the usual one.
        left_out: Why it can't be carried out here; empty when it can.
        alone: It measures time, or disturbs all others: nothing else runs meanwhile.
        own_server: It has a PostgreSQL for itself, of the kind that runs start themselves.
        small_disk: Everything of it lies on a disk that can be filled.
    """

    name: str
    act: Callable[[Bout], None]
    wanted: int
    workload: str = ""
    left_out: str = ""
    alone: bool = False
    small_disk: bool = False
    own_server: bool = False
