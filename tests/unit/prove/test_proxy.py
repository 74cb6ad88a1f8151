"""The proxy in front of a real server: what is cut where, and what the server made of it."""

from collections.abc import Iterator

import psycopg
import pytest

from qanat.prove.proxy import Cut, Proxy

pytestmark = pytest.mark.postgres


@pytest.fixture
def table(postgres_url: str) -> Iterator[str]:
    """The URL of a database with an empty table `kept`."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("create table kept (n bigint)")
        yield postgres_url
        connection.execute("drop table kept")


def kept(url: str) -> int:
    """Count what is there."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from kept").fetchone()
        assert row is not None
        return int(row[0])


def insert(url: str) -> bool:
    """Insert a row; tell whether the reply to COMMIT came."""
    connection = psycopg.connect(url)
    try:
        connection.execute("insert into kept values (1)")
        connection.commit()
    except psycopg.OperationalError:
        return False
    finally:
        connection.close()
    return True


def test_passes_everything_on(table: str) -> None:
    """Without being armed it isn't noticed, also by what is larger than its buffer."""
    with Proxy(table) as proxy, psycopg.connect(proxy.url) as connection:
        connection.execute("insert into kept select generate_series(1, 1000)")
        row = connection.execute("select repeat('x', 1000000)").fetchone()
        assert row == ("x" * 1_000_000,)
        with connection.cursor().copy("copy kept from stdin") as copy:
            for number in range(50_000):
                copy.write_row([number])
    assert 51_000 == kept(table)
    assert 0 == proxy.cuts


@pytest.mark.parametrize(("cut", "rows"), [(Cut.BEFORE, 0), (Cut.REPLY, 1)])
def test_commit_is_met(table: str, cut: Cut, rows: int) -> None:
    """The client sees the same either way; the server has committed, or it hasn't."""
    with Proxy(table, {"kept"}) as proxy:
        proxy.arm(cut, times=1, every=1)
        assert not insert(proxy.url)
        assert rows == kept(table)
        assert 1 == proxy.cuts
        assert insert(proxy.url)
    assert rows + 1 == kept(table)


def test_every_nth(table: str) -> None:
    """Only every nth COMMIT is met, and only so often."""
    with Proxy(table, {"kept"}) as proxy:
        proxy.arm(Cut.BEFORE, times=2, every=2)
        assert [True, False, True, False, True, True] == [insert(proxy.url) for _ in range(6)]


def test_work_is_told_apart(table: str) -> None:
    """A COMMIT of something else doesn't use up what is meant for work."""
    with Proxy(table, {"other"}) as proxy:
        proxy.arm(Cut.BEFORE, times=1, every=1)
        assert not insert(proxy.url)  # one that isn't of work
        assert insert(proxy.url)
        with pytest.raises(psycopg.OperationalError), psycopg.connect(proxy.url) as connection:
            connection.execute("create table other (n bigint)")
            connection.execute("insert into other values (1)")
        assert 2 == proxy.cuts


def test_cut_all(table: str) -> None:
    """Who is connected is cut off; who comes afterwards isn't."""
    with Proxy(table) as proxy:
        connection = psycopg.connect(proxy.url)
        assert 1 == proxy.cut_all()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
        connection.close()
        assert insert(proxy.url)


def test_server_that_is_gone() -> None:
    """Behind the proxy of a dead server there is nobody either."""
    with (
        Proxy("postgresql://nobody@127.0.0.1:1/none") as proxy,
        pytest.raises(psycopg.OperationalError),
    ):
        psycopg.connect(proxy.url)
