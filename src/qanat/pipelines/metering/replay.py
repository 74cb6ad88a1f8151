"""Dead letters, counted after all: a malformed line is corrected by hand and added, once."""

from datetime import datetime

from qanat.errors import ConfigError
from qanat.interfaces import Transaction
from qanat.pipelines.metering import SUMS, TOTALS, USAGE
from qanat.pipelines.metering.grammar import noted
from qanat.pipelines.metering.transform import period_of
from qanat.runtime.commit import Committer
from qanat.tables import Add, arrow_schema


def replay(committer: Committer, letter_id: str, text: str | None) -> tuple[int, int]:
    """Count one dead letter, as it is or corrected; return the consumer and the amount that were added.

    Its id enters the ledger, so that it counts once whoever asks how often. The usage goes to the period of its file.

    Raises:
        ConfigError: There is no such letter, it isn't open any more, or the line is malformed.
    """
    return committer.commit(lambda transaction: _replay(transaction, letter_id, text))


def drop(committer: Committer, letter_id: str) -> None:
    """Put a dead letter aside for good; it stays in the table.

    Raises:
        ConfigError: There is no such letter, or it isn't open any more.
    """

    def body(transaction: Transaction) -> None:
        _open_letter(transaction, letter_id)
        _mark(transaction, letter_id, "dropped")

    committer.commit(body)


def _replay(transaction: Transaction, letter_id: str, text: str | None) -> tuple[int, int]:
    raw, registered_at = _open_letter(transaction, letter_id)
    line = raw if text is None else text.encode()
    grammar = noted(transaction)
    read = grammar.read(line)
    if read is None:
        raise ConfigError(
            "the line", line.decode(errors="backslashreplace"), f"`consumer amount`, {grammar.text}",
            hint="Give the corrected line with --as 'CONSUMER AMOUNT', or put the letter aside with --drop.",
        )  # fmt: skip
    if transaction.enter([f"letter:{letter_id}"]):
        raise ConfigError("the letter", letter_id, "one that wasn't replayed before")
    consumer, amount = read
    _add(transaction, consumer, amount, registered_at)
    _mark(transaction, letter_id, "replayed")
    return consumer, amount


def _open_letter(transaction: Transaction, letter_id: str) -> tuple[bytes, datetime]:
    transaction.lock(f"letter:{letter_id}")
    rows = transaction.query(
        "select d.raw, d.state, f.registered_at from dead_letters d join files f on f.id = d.origin_id"
        # A file that was requeued has left a superseded one of the same id.
        " where d.id = $id order by case d.state when 'superseded' then 1 else 0 end",
        {"id": letter_id},
    ).to_pylist()
    if not rows:
        raise ConfigError("the letter", letter_id, "an id that `qanat dead-letters metering` lists")
    if rows[0]["state"] != "open":
        raise ConfigError("the letter", letter_id, f"open; it is {rows[0]['state']}")
    return rows[0]["raw"], rows[0]["registered_at"]


def _add(transaction: Transaction, consumer: int, amount: int, registered_at: datetime) -> None:
    import pyarrow as pa

    rows = pa.Table.from_pylist(
        [{"consumer": consumer, "amount": amount}], schema=arrow_schema(SUMS)
    )
    # A part of its own: an undo of the consumer's files, which removes who is left in none, has to leave this amount.
    transaction.write(TOTALS, rows, Add(TOTALS.key, ("amount", "parts")), {"parts": 1})
    transaction.write(
        USAGE, rows, Add(USAGE.key, ("amount",)), period_of(transaction, registered_at)
    )


def _mark(transaction: Transaction, letter_id: str, state: str) -> None:
    transaction.execute(
        "update dead_letters set state = $state where id = $id and state = 'open'",
        {"state": state, "id": letter_id},
    )
