"""Corrections and decimals as a user meets them: exact in every table, and one unit for all that a store counts."""

import json

import pytest

from tests.journeys import test_metering as metering
from tests.journeys.test_metering import User

user = metering.user

ROWS = "select consumer, amount from totals order by consumer"


def both(user: User, *arguments: str, expect: int = 0) -> str:
    """Count what is there, with signs and three decimals."""
    return user.run_once("--signed", "--decimals", "3", *arguments, expect=expect)


def test_amounts_are_exact_in_units_of_the_last_decimal(user: User) -> None:
    """Totals, usage, the register and reports agree; what isn't an amount says why."""
    good = b"7 12.345\n7 -0.005\n8 -1.5\n9 3\n9 -3\n5 999999999999999.999\n" * 20
    user.put("a.txt", good + b"7 1.2345\n7 .5\n7 +1\n")
    both(user)
    amounts = {5: 20 * (10**18 - 1), 7: 246_800, 8: -30_000, 9: 0}
    expected = [{"consumer": c, "amount": a} for c, a in amounts.items()]
    assert expected == user.sql(ROWS)
    assert expected == user.sql("select consumer, amount from usage order by consumer")
    assert [{"total": sum(amounts.values())}] == user.sql("select total from files")
    assert [{"signed": True, "decimals": 3}] == user.sql("select signed, decimals from grammar")
    reasons = user.sql("select reason from dead_letters order by line")
    assert [
        "the amount has more decimals than are counted here",
        "the decimal point has no digit before or behind it",
        "what follows the space isn't a digit",
    ] == [row["reason"] for row in reasons]
    top = json.loads(user.do("reports", "metering", "top", "--json"))
    assert str(-30_000) in json.dumps(top)


def test_verify_undo_and_replay_use_the_same_rules(user: User) -> None:
    """They know the grammar from the store; sums that cancel out or turn negative are taken back exactly."""
    user.put("a.txt", b"7 1.5\n8 2\nx\n" + b"9 0\n" * 20)
    user.put("b.txt", b"7 -4\n8 -2\n")
    both(user)
    assert [(7, -2500), (8, 0), (9, 0)] == [tuple(row.values()) for row in user.sql(ROWS)]
    assert "equal" in user.do("verify", "b.txt")
    user.do("undo", "a.txt")
    assert [(7, -4000), (8, -2000)] == [tuple(row.values()) for row in user.sql(ROWS)]
    user.do("requeue", "a.txt")
    both(user)
    user.do("undo", "b.txt")
    everything = "select consumer, sum(amount) as amount from {} group by 1 order by 1"
    assert [(7, 1500), (8, 2000), (9, 0)] == [tuple(row.values()) for row in user.sql(ROWS)]
    usage = [tuple(row.values()) for row in user.sql(everything.format("usage"))]
    assert [(7, 1500), (8, 2000)] == [row for row in usage if row[1]]
    (letter,) = json.loads(user.do("dead-letters", "metering", "--json"))
    for wrong in ("7 1.2345", "7 +1", "7 .5"):
        assert "behind a point" in user.do(
            "replay", "metering", letter["id"], "--as", wrong, expect=2
        )
    user.do("replay", "metering", letter["id"], "--as", "7 -0.25")
    assert [{"amount": 1250}] == user.sql("select amount from totals where consumer = 7")


@pytest.mark.parametrize("other", [[], ["--signed"], ["--signed", "--decimals", "2"]])
def test_one_store_counts_in_one_unit(user: User, other: list[str]) -> None:
    """A run with another grammar is refused before anything changes; the same one goes on."""
    user.put("a.txt", b"7 1.5\n")
    both(user)
    user.put("b.txt", b"7 2\n")
    told = user.run_once(*other, expect=2)
    assert "3, with which this store has counted" in told
    assert (user.incoming / "b.txt").exists()
    assert [{"amount": 1500}] == user.sql("select amount from totals")
    assert [{"n": 1}] == user.sql("select count(*) as n from files")
    both(user)
    assert [{"amount": 3500}] == user.sql("select amount from totals")


def test_a_plain_store_stays_plain(user: User) -> None:
    """What was counted without decimals or signs isn't mixed with what has them."""
    user.put("a.txt", b"7 5\n")
    user.run_once()
    assert "--decimals is 1" in user.run_once("--decimals", "1", expect=2)
    assert "--signed is" in user.run_once("--signed", expect=2)
    user.run_once()
    assert [] == user.sql("select signed from grammar")


def test_before_anything_was_counted_the_grammar_can_change(user: User) -> None:
    """Whoever forgot --decimals at the first start has lost nothing."""
    user.put("a.txt", b"7 1.5\n")
    user.run_once("--signed", expect=1)
    both(user)
    user.do("requeue", "a.txt")
    both(user)
    assert [{"consumer": 7, "amount": 1500}] == user.sql(ROWS)
