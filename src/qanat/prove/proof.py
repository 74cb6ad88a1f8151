"""What a pipeline brings to its proof. Read this first to make `qanat prove` work for a pipeline of your own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Tally(Protocol):
    """A store, compared with what it should hold, record by record."""

    @property
    def read(self) -> int:
        """Records that were handed over, each told once however often it was delivered; bad ones included."""
        ...

    @property
    def written(self) -> int:
        """Records that the store holds, each told as often as it is there."""
        ...

    @property
    def duplicated(self) -> int:
        """Records that count too often. Found record by record (or key by key), so that a lost one never makes up for it."""
        ...

    @property
    def lost(self) -> int:
        """Records that count too seldom."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """What else isn't as it should be: an item in the wrong state, a note that contradicts the rows."""
        ...


class Ground(Protocol):
    """One place to run in, with its own input and store, and what is expected of it. One thread uses it."""

    def deliver(self, items: int) -> None:
        """Hand over so many further items, in the way in which a careful writer does. May be called during a run."""
        ...

    def repeat(self) -> int:
        """Hand over again what was handed over before, in each way in which that happens; return how many items.

        Whatever the pipeline promises for repeats is what `tally` expects from now on.
        """
        ...

    def replace(self) -> None:
        """Put another item in the place of the one that is being read, as careless writers do.

        From now on `tally` expects the new one alone.
        """
        ...

    def arguments(self, *, item_s: float, watching: bool) -> Sequence[str]:
        """Return the arguments of a run, after `qanat`: it reads what is there, at `item_s` seconds for each item on average
        of those handed over so far (0: as fast as it can), and ends; or, `watching`, waits for more until SIGTERM.

        The store isn't among them: it comes by `QANAT_STORE`, so that a password never shows in a list of processes.
        """
        ...

    def prepare(self) -> None:
        """Called before each run, while none is going on: brings about what the workload is for."""
        ...

    def announce(self) -> int:
        """Announce to the run that is going on, one by one, each item that was handed over and has no receipt yet; return how
        many have none still: those that the run refused, and all that were left when it was gone.

        From now on `tally` expects what has a receipt exactly once; and, where the run finds nothing by itself, what has none
        at most once. Only called where the workload is one of `Proof.announced`.
        """
        ...

    @property
    def disturbed(self) -> int:
        """How often the input was disturbed as asked."""
        ...

    def disturb(self, times: int) -> None:
        """From now on, disturb the reading of the input `times` times, in the way that the workload is for."""
        ...

    def close(self) -> None:
        """Called at the end: give back what the ground holds beside its folder."""
        ...

    def tally(self) -> Tally:
        """Compare the store with what it should hold by now. Called when everything was drained and no run is going on."""
        ...


class Proof(Protocol):
    """What a pipeline brings.

    Attributes:
        pipeline: Its name, as in `qanat run NAME`.
        points: Every failpoint that a run can reach, with the workload in which it does. The first workload is the usual
            one.
        unreachable: All other failpoints, each with the reason.
        announced: Workloads in which items are announced, by what makes up for a lost announcement: `repeated` (nothing else
            does: the run finds none of them by itself) and `found` (it does). Empty where nothing can be announced.
        disturbances: Faults of the input that grounds bring about: a scenario's name, with the workload and the reason for
            leaving it out here (empty when it isn't).
        started: The event that a run logs when it begins to work.
        committed: Events that a run logs after a commit of work.
        tables: What its stages write; a transaction that does is one of work.
        repeats_end_with: The exit code of a run that was given an item again.
    """

    pipeline: str
    points: Mapping[str, str]
    unreachable: Mapping[str, str]
    announced: Mapping[str, str]
    disturbances: Mapping[str, tuple[str, str]]
    started: str
    committed: frozenset[str]
    tables: frozenset[str]
    repeats_end_with: int

    def ground(self, place: Path, store: str, workload: str) -> Ground:
        """Make an empty ground in the folder `place`, on the store with the URL `store`, which is empty too."""
        ...
