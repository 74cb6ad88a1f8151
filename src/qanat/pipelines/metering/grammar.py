"""By which grammar a store counts: noted in the store, so that whatever was counted there is counted, compared and taken out
again by one rule, and in one unit.
"""

from qanat.errors import ConfigError
from qanat.interfaces import Transaction
from qanat.pipelines.metering import GRAMMAR, STAGE
from qanat.pipelines.metering.lines import PLAIN, Grammar
from qanat.runtime.commit import Committer
from qanat.runtime.registry import Queries
from qanat.tables import Upsert, arrow_schema

# One row with whether anything was counted, or summed for a file that isn't counted yet.
_COUNTED = (
    "select exists (select 1 from totals) or exists (select 1 from usage) or exists (select 1 from parts)"
    " or exists (select 1 from files where state = 'counted') as counted"
)


def noted(asked: Queries) -> Grammar:
    """Return the grammar by which the store counts; the plain one where nothing was noted."""
    rows = asked.query(
        "select signed, decimals from grammar where stage = $stage", {"stage": STAGE}
    ).to_pylist()
    return Grammar(rows[0]["signed"], rows[0]["decimals"]) if rows else PLAIN


def settle(committer: Committer, wanted: Grammar) -> None:
    """Have the store count by `wanted` from now on, if nothing was counted yet or it does so anyway.

    Raises:
        ConfigError: It has counted by another grammar. Nothing was changed.
    """
    import pyarrow as pa

    with committer.store.snapshot() as reader:
        if noted(reader) == wanted:
            return
    row = {"stage": STAGE, "signed": wanted.signed, "decimals": wanted.decimals}
    table = pa.Table.from_pylist([row], schema=arrow_schema(GRAMMAR))

    def note(transaction: Transaction) -> None:
        transaction.lock("grammar")
        before = noted(transaction)
        if before != wanted and transaction.query(_COUNTED).column("counted")[0].as_py():
            raise _refusal(before, wanted)
        transaction.write(GRAMMAR, table, Upsert(GRAMMAR.key))

    committer.commit(note)


def check(asked: Queries, used: Grammar) -> None:
    """Make sure that what was summed by `used` may be added to the store.

    Raises:
        ConfigError: The store counts by another grammar: it was changed by another process before anything was counted.
    """
    before = noted(asked)
    if before != used:
        raise _refusal(before, used)


def _refusal(before: Grammar, wanted: Grammar) -> ConfigError:
    hint = (
        "What was counted before is in another unit, or by another rule. Start with the same settings,"
        " or with an empty store (another --data-dir or database)."
    )
    if before.decimals != wanted.decimals:
        return ConfigError(
            "--decimals",
            wanted.decimals,
            f"{before.decimals}, with which this store has counted",
            hint,
        )
    valid = "given" if before.signed else "left out"
    shown = "left out" if before.signed else "given"
    return ConfigError("--signed", shown, f"{valid}, as this store has counted", hint)
