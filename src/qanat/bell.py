"""What the threads of a run wake each other with, so that an idle one needn't ask the store again and again."""

import threading


class Bell:
    """Rings when there may be work, or none left. Any thread may ring, any number may wait."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How often it rang. Ask before looking for work: what rings meanwhile isn't missed then."""
        return self._count

    def ring(self) -> None:
        """Wake whoever waits."""
        with self._rung:
            self._count += 1
            self._rung.notify_all()

    def wait(self, heard: int, timeout_s: float) -> bool:
        """Block until it has rung more than `heard` times, at most `timeout_s`; tell whether it has."""
        with self._rung:
            return self._rung.wait_for(lambda: self._count > heard, timeout_s)
