"""Laws of a log's commits: offsets, all or nothing, progress by compare-and-set, claims."""

from contextlib import suppress
from dataclasses import replace
from uuid import uuid4

import pyarrow as pa
import pytest

from qanat.errors import ConfigError, Fatal, Fenced, QanatError, Retryable
from qanat.interfaces import Log, LogTransaction, Span
from qanat.records import Move, Progress
from qanat.testing.laws_log import (
    EVENTS,
    KEYED,
    REDO_MAX,
    STAGE,
    TURNS,
    LogLawsBase,
    OpenLog,
    committed,
    contents,
    drained,
    events,
    keyed,
    opened,
    progress,
    published,
)
from qanat.testing.laws_store import together
from qanat.topics import OFFSET


def _moved(log: Log, move: Move, *ids: int) -> None:
    def work(transaction: LogTransaction) -> None:
        transaction.advance(STAGE, {"0": move})
        transaction.publish(EVENTS, events(*ids))

    committed(log, work)


class LogCommitLaws(LogLawsBase):
    """Records and progress come together or not at all, and offsets say in which order."""

    def test_offsets_increase(self, log: Log) -> None:
        """Offsets of a partition begin at 0 and go up by one, over batches and commits."""
        for begin in range(0, 12, 3):
            published(log, EVENTS, events(*range(begin, begin + 3)))
        assert {"0": Span(0, 12)} == log.spans(EVENTS)
        batches = list(drained(opened(log, EVENTS), 5))
        pairs = [
            pair
            for batch in batches
            for pair in zip(
                batch.rows.column(OFFSET).to_pylist(),
                batch.rows.column("id").to_pylist(),
                strict=True,
            )
        ]
        assert [(n, n) for n in range(12)] == pairs
        assert "12" == batches[-1].ends["0"]

    def test_several_at_once(self, log: Log) -> None:
        """One commit may publish to several topics, and to one again and again, in order."""

        def work(transaction: LogTransaction) -> None:
            transaction.publish(EVENTS, events(1, 2))
            transaction.publish(TURNS, pa.table({"id": [7]}))
            transaction.publish(EVENTS, events())
            transaction.publish(EVENTS, events(3))

        committed(log, work)
        assert {"0": [1, 2, 3]} == contents(log, EVENTS)
        assert {"0": [7], "1": [], "2": []} == contents(log, TURNS)

    @pytest.mark.parametrize("how", ["left", "raised"])
    def test_rollback_leaves_nothing(self, log: Log, how: str) -> None:
        """A transaction that is left without commit, or by an exception, leaves no trace."""
        before = progress(log)
        commit_id = uuid4()
        with suppress(ZeroDivisionError), log.begin(STAGE, commit_id) as transaction:
            transaction.advance(STAGE, {"0": Move(before.version, "life-1", "9")})
            transaction.publish(EVENTS, events(1))
            if how == "raised":
                raise ZeroDivisionError
        assert before == progress(log)
        assert {"0": Span(0, 0)} == log.spans(EVENTS)
        assert not log.outcome(STAGE, commit_id)

    def test_over_is_over(self, log: Log) -> None:
        """A transaction that ended can't be used on."""
        with log.begin(STAGE, uuid4()) as transaction:
            transaction.publish(EVENTS, events(1))
            transaction.commit()
            with pytest.raises(Fatal):
                transaction.commit()
        with pytest.raises(Fatal):
            transaction.publish(EVENTS, events(2))
        assert {"0": [1]} == contents(log, EVENTS)

    def test_stale_version_changes_nothing(self, log: Log) -> None:
        """Whoever expects another version is fenced, and has published nothing."""
        _moved(log, Move(progress(log).version, "life-1", "10"), 1)
        after = progress(log)
        commit_id = uuid4()
        for wrong in (-1, 1, 1000):
            move = Move(after.version + wrong, "life-1", "99")
            with pytest.raises(Fenced), log.begin(STAGE, commit_id) as transaction:
                transaction.publish(EVENTS, events(2))
                transaction.advance(STAGE, {"0": move})
                transaction.commit()
        assert after == progress(log)
        assert {"0": [1]} == contents(log, EVENTS)
        assert not log.outcome(STAGE, commit_id)

    def test_fenced_for_good(self, log: Log) -> None:
        """Whoever overlooks that he was fenced publishes nothing all the same."""
        with log.begin(STAGE, uuid4()) as transaction:
            with pytest.raises(Fenced):
                transaction.advance(STAGE, {"0": Move(7, "life-1", "99")})
            transaction.publish(EVENTS, events(1))
            with pytest.raises(QanatError):
                transaction.commit()
        assert {"0": []} == contents(log, EVENTS)

    def test_fenced_between(self, log: Log) -> None:
        """Who was overtaken after he compared is fenced when he commits."""
        version = progress(log).version
        with pytest.raises(Fenced), log.begin(STAGE, uuid4()) as transaction:
            transaction.advance(STAGE, {"0": Move(version, "life-1", "5")})
            transaction.publish(EVENTS, events(1))
            _moved(log, Move(version, "life-1", "10"), 2)
            transaction.commit()
        assert "10" == progress(log).position
        assert {"0": [2]} == contents(log, EVENTS)

    def test_one_stale_partition_fences_all(self, log: Log) -> None:
        """When one of several partitions is stale, none moves."""
        found = log.claim(STAGE, ["0", "1"], "owner")
        move = Move(found["1"].version, "life-1", "5")
        committed(log, lambda transaction: transaction.advance(STAGE, {"1": move}))
        with pytest.raises(Fenced), log.begin(STAGE, uuid4()) as transaction:
            transaction.advance(STAGE, {"0": Move(found["0"].version, "life-1", "7"), "1": move})
            transaction.commit()
        again = log.claim(STAGE, ["0", "1"], "owner")
        assert {"0": None, "1": "5"} == {name: one.position for name, one in again.items()}

    def test_versions_are_never_reused(self, log: Log) -> None:
        """Every move makes the version grow by one, a rewind too."""
        first = progress(log).version
        for step, position in enumerate(["10", "20", "10", "0", "10"]):
            _moved(log, Move(first + step, "life-1", position))
            assert Progress(position, first + step + 1, "life-1") == progress(log)
        assert Progress(None, first, None) == progress(log, stage="another")

    def test_one_of_two_racers_wins(self, log: Log) -> None:
        """Of threads that move on from the same version one commits; the others are fenced."""
        version = progress(log).version

        def race(number: int) -> bool:
            for _ in range(REDO_MAX):
                try:
                    with log.begin(STAGE, uuid4()) as transaction:
                        move = Move(version, "life-1", str(number))
                        transaction.advance(STAGE, {"0": move})
                        transaction.publish(EVENTS, events(number))
                        transaction.commit()
                        return True
                except Fenced:
                    return False
                except Retryable:
                    continue
            raise AssertionError("neither won nor fenced")

        won = together(4, race)
        assert 1 == sum(won)
        assert {"0": [won.index(True)]} == contents(log, EVENTS)
        assert Progress(str(won.index(True)), version + 1, "life-1") == progress(log)

    def test_many_write_at_once(self, log: Log) -> None:
        """What threads publish at the same moment all comes, each batch in one piece."""

        def work(number: int) -> None:
            for step in range(5):
                ids = [100 * number + 10 * step + n for n in range(3)]
                published(log, EVENTS, events(*ids))

        together(4, work)
        found = [int(str(one)) for one in contents(log, EVENTS)["0"]]
        assert 60 == len(set(found)) == len(found)
        assert all(found[at] + 1 == found[at + 1] for at in range(60) if at % 3 < 2)

    def test_outcome_is_known(self, log: Log, open_log: OpenLog) -> None:
        """A commit id is known once it committed: by its stage, and after reopening."""
        known = [uuid4() for _ in range(5)]
        for number, commit_id in enumerate(known):
            with log.begin(STAGE, commit_id) as transaction:
                transaction.publish(EVENTS, events(number))
                transaction.commit()
            assert log.outcome(STAGE, commit_id)
        assert not log.outcome("another", known[0])
        log.close()
        again = open_log()
        assert [True] * 5 == [again.outcome(STAGE, commit_id) for commit_id in known]
        assert not again.outcome(STAGE, uuid4())
        again.close()

    def test_commits_survive_reopening(self, log: Log, open_log: OpenLog) -> None:
        """What was committed is there after closing, twice, and opening again."""
        _moved(log, Move(progress(log).version, "life-1", "10"), 1, 2)
        life = opened(log, EVENTS).incarnation()
        log.close()
        log.close()
        again = open_log()
        assert [] == list(again.create([EVENTS, KEYED]))
        assert log.identity == again.identity
        assert "10" == progress(again).position
        assert {"0": [1, 2]} == contents(again, EVENTS)
        assert life == opened(again, EVENTS).incarnation()
        again.close()


class LogClaimLaws(LogLawsBase):
    """A partition has one owner; the claim ends by release, by closing, and with the process."""

    def test_partition_has_one_owner(self, log: Log) -> None:
        """What one owner holds another doesn't get, whatever other stages do."""
        assert {"0", "1"} == set(log.claim(STAGE, ["0", "1"], "a"))
        assert {"2"} == set(log.claim(STAGE, ["1", "2"], "b"))
        assert {"0", "1"} == set(log.claim(STAGE, ["0", "1", "2"], "a"))
        assert {"0"} == set(log.claim("another", ["0"], "b"))

    def test_claims_can_be_released(self, log: Log) -> None:
        """Released by its owner, and by nobody else, a partition can be claimed by another."""
        log.claim(STAGE, ["0"], "a")
        log.release(STAGE, ["0", "1"], "b")
        assert set() == set(log.claim(STAGE, ["0"], "b"))
        log.release(STAGE, ["0"], "a")
        assert {"0"} == set(log.claim(STAGE, ["0"], "b"))

    def test_one_of_many_claims(self, log: Log) -> None:
        """Threads that claim at the same moment never get the same partition."""
        names = [str(number) for number in range(8)]
        got = together(4, lambda number: set(log.claim(STAGE, names, f"owner {number}")))
        assert sorted(names) == sorted(name for mine in got for name in mine)

    def test_claims_between_handles(self, log: Log, open_log: OpenLog) -> None:
        """A claim holds against another handle, and ends when its handle is closed."""
        other = open_log()
        assert {"0/a b"} == set(other.claim(STAGE, ["0/a b"], "b"))
        assert {"1"} == set(log.claim(STAGE, ["0/a b", "1"], "b"))
        other.close()
        assert {"0/a b", "1"} == set(log.claim(STAGE, ["0/a b", "1"], "b"))


class LogTopicLaws(LogLawsBase):
    """What may be published, and where it goes."""

    def test_made_once(self, log: Log) -> None:
        """Made again, a topic stays as it is; what doesn't fit is refused."""
        assert [] == list(log.create([EVENTS, TURNS]))
        with pytest.raises(Fatal):
            log.create([replace(EVENTS, columns=EVENTS.columns[:1])])
        with pytest.raises(Fatal):
            log.create([replace(TURNS, partitions=2)])
        assert [TURNS.name] == [
            change.table for change in log.create([replace(TURNS, partitions=5)])
        ]
        assert ["0", "1", "2", "3", "4"] == list(log.source(TURNS, "g").partitions())

    def test_unknown_topic(self, log: Log) -> None:
        """A topic that wasn't made is refused by name."""
        strange = replace(EVENTS, name="strange")
        with pytest.raises(ConfigError, match="law-events"), log.begin(STAGE, uuid4()) as tx:
            tx.publish(strange, events(1))

    @pytest.mark.parametrize(
        "rows",
        [
            {"id": [1], "strange": ["x"]},
            {"id": ["1"]},
            {"id": pa.array([1], pa.int32())},
            {"id": pa.array([None], pa.int64())},
            {"body": ["x"]},
        ],
        ids=["a strange column", "another type", "a narrow one", "null", "left out"],
    )
    def test_refused_rows(self, log: Log, rows: dict[str, object]) -> None:
        """Rows that aren't as declared are refused, and nothing is published."""
        with pytest.raises(ConfigError), log.begin(STAGE, uuid4()) as transaction:
            transaction.publish(EVENTS, pa.table(rows))
        assert {"0": Span(0, 0)} == log.spans(EVENTS)

    def test_equal_keys_stay_in_order(self, log: Log) -> None:
        """Records with equal keys are in one partition, in order; one without a key is too."""
        keys = [None, "a", "b", "c", "d", "e", "", "ä"]
        for begin in range(0, 40, 10):
            pairs = [(keys[n % len(keys)], n) for n in range(begin, begin + 10)]
            published(log, KEYED, keyed(*pairs))
        ids, found = contents(log, KEYED), contents(log, KEYED, "key")
        homes: dict[object, set[str]] = {}
        for partition, some in found.items():
            for key in some:
                homes.setdefault(key, set()).add(partition)
        assert set(keys) == set(homes)
        assert all(1 == len(where) for where in homes.values())
        assert sum(1 for some in ids.values() if some) > 1
        assert list(range(40)) == sorted(int(str(n)) for some in ids.values() for n in some)
        assert all(some == sorted(some, key=int) for some in ids.values())  # type: ignore[arg-type]

    def test_without_a_key_in_turn(self, log: Log) -> None:
        """Records without a key go to the partitions in turn, over batches and commits."""
        for begin in range(0, 12, 4):
            published(log, TURNS, pa.table({"id": list(range(begin, begin + 4))}))
        expected = {str(n): list(range(n, 12, 3)) for n in range(3)}
        assert expected == contents(log, TURNS)
