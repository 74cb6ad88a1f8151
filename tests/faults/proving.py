"""One call of the proof, as tests need it: small, and of chosen scenarios."""

from collections.abc import Sequence

from qanat.pipelines.metering.proof import MeteringProof
from qanat.prove.command import ProveSettings, prove
from qanat.prove.ledger import Ledger
from qanat.settings import Size

# Small enough that what takes time is starting the runs; one in four files still has two parts.
SIZE_BYTES = 150_000


def proved(
    only: str, store: str = "duckdb:", launcher: Sequence[str] = (), hits: int = 1
) -> Ledger:
    """Prove `metering`, or a broken one, in the scenarios whose names begin with `only`."""
    settings = ProveSettings(store=store, only=only, hits=hits, size=Size(SIZE_BYTES), jobs=2)
    return prove(MeteringProof, settings, launcher)


def told(ledger: Ledger) -> str:
    """Return everything that speaks against a proof, for a failing assertion."""
    lines = [line for line in ledger.lines if not line.passed]
    return "\n".join(
        f"{line.scenario}: lost {line.lost}, duplicated {line.duplicated}, {line.problems}"
        for line in lines
    )
