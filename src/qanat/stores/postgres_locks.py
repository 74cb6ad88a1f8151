"""Names of advisory locks, as the 64-bit numbers that PostgreSQL wants."""

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LockNames:
    """The locks of one pipeline. Two pipelines in one database never meet: the schema is part of each name."""

    schema: str

    def table(self, name: str) -> int:
        """Sums of this table: few are added beside each other, many are added alone."""
        return self._number("table", name)

    def named(self, name: str) -> int:
        """What `Transaction.lock` locks."""
        return self._number("name", name)

    def commit(self, commit_id: object) -> int:
        """Held by the transaction with this commit id until it is decided."""
        return self._number("commit", str(commit_id))

    def partition(self, stage: str, partition: str) -> int:
        """Held by the connection of the process that claimed the partition."""
        return self._number("partition", f"{stage}\0{partition}")

    def queue(self, name: str) -> int:
        """Held while items of this queue are given out."""
        return self._number("queue", name)

    def working(self) -> int:
        """Held together by every process that has claims or leases."""
        return self._number("working", "")

    def part(self, shape: str, attempt: object, part: int) -> int:
        """Held while this part is staged."""
        return self._number("part", f"{shape}\0{attempt}\0{part}")

    def migration(self) -> int:
        """Held while tables are made or changed."""
        return self._number("migration", "")

    def _number(self, kind: str, name: str) -> int:
        text = f"qanat\0{self.schema}\0{kind}\0{name}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)
