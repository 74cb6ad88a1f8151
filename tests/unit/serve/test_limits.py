"""Who may ask what, and how much."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from qanat.errors import ConfigError, Retryable
from qanat.interfaces import Scalar, Store
from qanat.listening import Listening
from qanat.serve.app import create_app
from qanat.serve.origins import hosts_of, origins_of
from qanat.serve.served import Limits, Served
from qanat.session import Session, held
from qanat.testing import FakeClock
from tests.unit.serve.sample import SAMPLE

if TYPE_CHECKING:
    import pyarrow as pa

TOKEN = "a-long-random-token"
PATH = "/api/sample/lookups/titles"


def test_too_long(asked: TestClient) -> None:
    """A request that is longer than it can have to be isn't read."""
    assert 414 == asked.get(f"{PATH}?wiki={'x' * 9_000}").status_code
    assert 414 == asked.get(f"/api/{'x' * 5_000}").status_code
    path = "/api/sample/dead-letters/x/replay"
    assert 413 == asked.post(path, content=b"x" * 70_000).status_code

    def pieces() -> Iterator[bytes]:
        for _ in range(10):
            yield b" " * 10_000

    headers = {"Content-Type": "application/json"}
    answer = asked.post(path, content=pieces(), headers=headers)  # says nothing of its length
    assert 413 == answer.status_code
    assert {"detail", "hint"} >= set(answer.json())


class Waiting:
    """A session whose queries wait until they may go on."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.asked = threading.Semaphore(0)
        self.goes_on = threading.Event()

    def query(
        self, sql: str, parameters: Mapping[str, Scalar] | None = None, *, limit_s: float = 0.0
    ) -> "pa.Table":
        self.asked.release()
        assert self.goes_on.wait(30)
        return self.session.query(sql, parameters, limit_s=limit_s)

    def __getattr__(self, name: str) -> object:
        return getattr(self.session, name)


def test_too_many_at_a_time(sample: Store, sample_clock: FakeClock) -> None:
    """Beyond the limit one is told to come again, and health still answers; afterwards all is as before."""
    session = Waiting(held(sample))
    app = create_app([Served(SAMPLE, session)], clock=sample_clock, limits=Limits(requests_max=2))  # type: ignore[arg-type]
    client = TestClient(app)
    codes: list[int] = []
    with client:
        busy = [threading.Thread(target=lambda: codes.append(client.get(PATH).status_code)) for _ in range(2)]  # fmt: skip
        for thread in busy:
            thread.start()
        for _ in busy:
            assert session.asked.acquire(timeout=30)
        refused = client.get(PATH)
        assert (503, "1") == (refused.status_code, refused.headers["retry-after"])
        session.goes_on.set()
        for thread in busy:
            thread.join()
        assert [200, 200] == codes
        assert 200 == client.get(PATH).status_code


def test_too_slow(sample: Store, sample_clock: FakeClock) -> None:
    """A statement that doesn't end in time is ended, and the store goes on."""
    slow = "select sum(a.range * b.range) as n from range(10000000) a, range(10000000) b"
    with pytest.raises(Retryable, match="took too long"):
        held(sample).query(slow, limit_s=0.2)
    with (
        pytest.raises(Retryable, match="took too long"),
        held(sample).stream(slow, limit_s=0.2) as batches,
    ):
        list(batches)
    assert 1 == held(sample).query("select 1 as one", limit_s=0.2).num_rows
    limits = Limits(statement_s_max=0.001)
    client = TestClient(create_app([Served(SAMPLE, held(sample))], clock=sample_clock, limits=limits))  # fmt: skip
    assert client.get(PATH).status_code in {200, 503}  # as fast as the machine is


@contextmanager
def service(store: Store, **given: object) -> Iterator[TestClient]:
    """The service as it is told to be."""
    with TestClient(create_app([Served(SAMPLE, held(store))], **given)) as client:  # type: ignore[arg-type]
        yield client


def test_token(sample: Store) -> None:
    """With a token nothing is told without it, wherever one asks; it isn't taken from the address."""
    with service(sample, token=TOKEN) as client:
        paths = [
            path.replace("{letter}", "x") for path in client.get("/openapi.json").json()["paths"]
        ]
        assert {"/api", "/api/sample/live", PATH} <= set(paths)
        for path in paths:
            ask = client.post if path.endswith("replay") else client.get
            assert (path, 401) == (path, ask(path).status_code)
            assert (path, 401) == (path, ask(f"{path}?token={TOKEN}").status_code)
        assert 200 == client.get(PATH, headers={"Authorization": f"Bearer {TOKEN}"}).status_code
        wrong = client.get(PATH, headers={b"Authorization": "Bearer ü".encode()})
        assert 401 == wrong.status_code


def test_cors(sample: Store) -> None:
    """Pages of the named origins may ask, of others not; without any nobody is told so."""
    foreign, ours = "https://elsewhere.example", "https://ours.example"
    with service(sample, cors=(ours,), token=TOKEN) as client:
        preflight = {
            "Origin": ours,
            "Access-Control-Request-Method": "GET",
            "Access-Control-Request-Headers": "authorization",
        }
        answer = client.options(PATH, headers=preflight)
        assert (200, ours) == (answer.status_code, answer.headers["access-control-allow-origin"])
        refused = client.get(PATH, headers={"Origin": ours})
        assert (401, ours) == (
            refused.status_code,
            refused.headers["access-control-allow-origin"],
        )
        answer = client.get(PATH, headers={"Origin": foreign})
        assert "access-control-allow-origin" not in answer.headers
    with service(sample) as client:
        assert "access-control-allow-origin" not in client.get(PATH, headers={"Origin": ours}).headers  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "host"),
    [
        (200, "localhost:8765"),
        (200, "127.0.0.1"),
        (200, "[::1]:8765"),
        (200, "ours.example:443"),
        (421, "rebound.example"),
        (421, "rebound.example:8765"),
        (421, "localhost.rebound.example"),
        (421, ""),
    ],
)
def test_hosts(sample: Store, expected: int, host: str) -> None:
    """Without a token nobody gets in under a foreign name, as which a foreign page would ask."""
    hosts = hosts_of(Listening("127.0.0.1", 0), origins_of("https://ours.example:443"))
    with service(sample, hosts=hosts) as client:
        assert expected == client.get(PATH, headers={"Host": host}).status_code
    assert hosts_of(Listening("0.0.0.0", 0, TOKEN), ()) is None


def test_origins() -> None:
    """Origins are named exactly."""
    assert ("https://a.example", "http://b:1") == origins_of("https://a.example/, http://b:1")
    assert () == origins_of("")
    assert ("*",) == origins_of("*")
    for wrong in ("a.example", "https://", "https://a.example/page", "ftp://a"):
        with pytest.raises(ConfigError, match="--cors"):
            origins_of(wrong)
