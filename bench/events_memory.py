"""Memory and files over many events: they have to stay what they are after the first million.

    python bench/events_memory.py [--millions 10]

The same million events is sent again and again, each time in another year, so that all are new. Printed after each million: the
private memory of the run, and the sizes of its log and its tables.
"""

import argparse
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from events_input import made
from metering_measure import _memory

FIRST_YEAR = 2014
RECORDED_YEAR = b"2025-"
PIECE_BYTES = 1 << 20
EVENTS = 1_000_000


def main() -> int:
    """Send the millions, and look at the run meanwhile."""
    options = _options()
    stream = made(options.folder, EVENTS, 1)
    with (
        tempfile.TemporaryDirectory(prefix="qanat-bench-") as name,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        place, port = Path(name), listener.getsockname()[1]
        sent = [0]
        sender = threading.Thread(
            target=_send, args=(listener, stream.wire, options.millions, sent), daemon=True
        )
        sender.start()
        command = [sys.executable, "-m", "qanat", "run", "wikimedia", "--once", "--idle", "5s"]
        process = subprocess.Popen(
            [*command, "--input", f"http://127.0.0.1:{port}/stream", "--data-dir", str(place)]
        )
        print(f"{'million':>8} {'seconds':>8} {'memory MB':>10} {'log MB':>8} {'tables MB':>10}")
        began_s, most, told = time.monotonic(), 0, 0
        while process.poll() is None:
            most = max(most, _memory(process.pid).private_bytes)
            if sent[0] > told:
                told = sent[0]
                _tell(told, time.monotonic() - began_s, most, place)
                most = 0
            time.sleep(0.2)
        _tell(told, time.monotonic() - began_s, most, place)
        return process.returncode


def _send(listener: socket.socket, wire: Path, millions: int, sent: list[int]) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        )
        for number in range(millions):
            year = b"%d-" % (FIRST_YEAR + number)
            with wire.open("rb") as file:
                rest = b""
                while piece := file.read(PIECE_BYTES):
                    # A year may lie across two pieces: the last bytes wait for the next one.
                    piece = (rest + piece).replace(RECORDED_YEAR, year)
                    rest, piece = piece[-len(year) + 1 :], piece[: -len(year) + 1]
                    connection.sendall(piece)
                connection.sendall(rest)
            sent[0] = number + 1
        threading.Event().wait()  # stays open; the run ends when nothing more comes


def _tell(millions: int, seconds: float, private_bytes: int, place: Path) -> None:
    log = sum(path.stat().st_size for path in place.glob("*.log.sqlite*") if path.is_file())
    tables = sum(path.stat().st_size for path in place.glob("*.duckdb*") if path.is_file())
    print(
        f"{millions:8} {seconds:8.0f} {private_bytes / 1e6:10.0f} {log / 1e6:8.0f} {tables / 1e6:10.0f}",
        flush=True,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--millions", type=int, default=10)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "qanat-bench")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
