"""Laws of claiming partitions: one owner at a time, and what a former owner can't do any more."""

import os
from uuid import uuid4

import pytest

from qanat.errors import Fenced
from qanat.interfaces import Store
from qanat.records import Move
from qanat.testing.laws_store import (
    STAGE,
    OpenStore,
    StoreLawsBase,
    committed,
    together,
)


class ClaimLaws(StoreLawsBase):
    """A partition has one owner; the claim ends by release, by closing, and with the process."""

    def test_partition_has_one_owner(self, store: Store) -> None:
        """What one owner holds another doesn't get, and each is told what is his."""
        assert {"0", "1"} == set(store.claim(STAGE, ["0", "1"], "a"))
        assert {"2"} == set(store.claim(STAGE, ["1", "2"], "b"))
        assert {"0", "1"} == set(store.claim(STAGE, ["0", "1", "2"], "a"))

    def test_claims_of_stages_are_apart(self, store: Store) -> None:
        """A partition of one stage has nothing to do with that of another."""
        assert {"0"} == set(store.claim(STAGE, ["0"], "a"))
        assert {"0"} == set(store.claim("another", ["0"], "b"))

    def test_claims_can_be_released(self, store: Store) -> None:
        """A released partition can be claimed by another; releasing what isn't ours changes
        nothing.
        """
        store.claim(STAGE, ["0"], "a")
        store.release(STAGE, ["0", "1"], "b")
        assert set() == set(store.claim(STAGE, ["0"], "b"))
        store.release(STAGE, ["0"], "a")
        assert {"0"} == set(store.claim(STAGE, ["0"], "b"))

    def test_one_of_many_claims(self, store: Store) -> None:
        """Threads that claim at the same moment never get the same partition."""
        names = [str(number) for number in range(8)]
        got = together(4, lambda number: set(store.claim(STAGE, names, f"owner {number}")))
        assert sorted(names) == sorted(name for mine in got for name in mine)

    def test_claim_between_handles(self, store: Store, open_store: OpenStore) -> None:
        """A claim holds against another handle, and ends when its handle is closed."""
        other = self.second_handle(store, open_store)
        assert {"0"} == set(other.claim(STAGE, ["0"], "b"))
        assert {"1"} == set(store.claim(STAGE, ["0", "1"], "a"))
        other.close()
        assert {"0", "1"} == set(store.claim(STAGE, ["0", "1"], "a"))

    def test_claims_end_with_the_handle(self, store: Store, open_store: OpenStore) -> None:
        """A store that is opened again has no claims of its former life."""
        store.claim(STAGE, ["0"], "a")
        store.close()
        again = open_store()
        assert {"0"} == set(again.claim(STAGE, ["0"], "b"))
        again.close()

    def test_workers_are_told(self, store: Store) -> None:
        """Where several processes can work, each that has claims is told; one that only looks
        isn't.
        """
        assert [] == list(store.workers())
        store.claim(STAGE, ["0"], "a")
        expected = [os.getpid()] if store.capabilities.shared else []
        assert expected == [worker.pid for worker in store.workers()]

    def test_former_owner_is_fenced(self, store: Store) -> None:
        """An owner who lost the partition to one who moved it can't write any more."""
        old = store.claim(STAGE, ["0"], "a")["0"]
        store.release(STAGE, ["0"], "a")
        new = store.claim(STAGE, ["0"], "b")["0"]
        assert old == new
        move = Move(new.version, "life-1", "10")
        committed(store, lambda tx: tx.advance(STAGE, {"0": move}))
        with pytest.raises(Fenced), store.begin(STAGE, uuid4()) as transaction:
            transaction.advance(STAGE, {"0": Move(old.version, "life-1", "99")})
            transaction.commit()
        assert "10" == store.claim(STAGE, ["0"], "b")["0"].position
