"""Runs as processes: what they log is seen, and each of them ends."""

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from qanat.prove.processes import Child, Children, Hung, Interrupted, was_killed


def program(text: str) -> Children:
    """Start Python programs instead of `qanat`."""
    return Children((sys.executable, "-c", text))


def start(children: Children, place: Path, **environment: str) -> Child:
    """Start one that logs to a file in `place`."""
    return children.start([], place / "run.log", environment, "")


EVENTS = """
import json, sys, time
for name in ("a", "b", "a"):
    print(json.dumps({"event": name}), flush=True)
print("said", flush=True)
"""


def test_events_and_words(tmp_path: Path) -> None:
    """Lines of JSON are events, others are what it said; the exit code is its own."""
    child = start(program(EVENTS + "sys.exit(3)"), tmp_path)
    assert 3 == child.wait()
    assert ["a", "b", "a"] == [event["event"] for event in child.events]
    assert (2, 3) == (child.seen({"a"}), child.seen({"a", "b"}))
    assert "said" == child.said()


def test_waiting_for_events(tmp_path: Path) -> None:
    """A wait ends with the event, or with the process that won't log it any more."""
    children = program(EVENTS + "time.sleep(60)")
    child = start(children, tmp_path)
    assert child.wait_for({"a"}, 2)
    child.kill()
    assert was_killed(child.wait())
    assert not child.wait_for({"a"}, 3)


def test_who_hangs_is_killed(tmp_path: Path) -> None:
    """A run that doesn't end in time is ended, and what it said is told."""
    child = start(program(EVENTS + "time.sleep(60)"), tmp_path)
    child.wait_for({"b"})
    with pytest.raises(Hung, match="said"):
        child.wait(limit_s=0.5)
    assert was_killed(child.wait())


def test_half_a_line_is_no_event(tmp_path: Path) -> None:
    """What is being written is read when it is whole."""
    text = "import sys, time; sys.stdout.write('{\"event\": '); sys.stdout.flush(); time.sleep(60)"
    children = program(text)
    child = start(children, tmp_path)
    while not child.text():
        time.sleep(0.01)
    child.look()
    assert [] == child.events
    children.end_all()


def test_all_are_ended(tmp_path: Path) -> None:
    """Stopping the proof ends every child, interrupts whoever waits, and starts nothing more."""
    children = program("import time; time.sleep(60)")
    child = start(children, tmp_path)
    failures: list[Interrupted] = []

    def wait() -> None:
        try:
            child.pause(60)
        except Interrupted as error:
            failures.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    children.end_all()
    waiting.join()
    assert child.process.poll() is not None
    assert failures or not child.pause(0)
    with pytest.raises(Interrupted):
        start(children, tmp_path)


def test_no_setting_gets_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is set by its arguments and by what the proof gives it, not by whoever calls the proof."""
    monkeypatch.setenv("QANAT_STORE", "foreign:")
    monkeypatch.setenv("QANAT_THREADS", "3")
    text = "import json, os; print(json.dumps({'event': 'set', **os.environ}))"
    child = start(program(text), tmp_path, QANAT_STORE="ours:")
    child.wait()
    given = {name: value for name, value in child.events[0].items() if name.startswith("QANAT_")}
    assert "ours:" == given["QANAT_STORE"]
    assert "QANAT_THREADS" not in given
    assert "" == given["QANAT_FAILPOINTS"]
    assert json.loads(json.dumps(given)) == given
