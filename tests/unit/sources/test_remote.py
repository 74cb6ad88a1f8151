"""Remote folders: what is fetched and resumed, from a real OpenSSH and a real FTP server."""

import json
import os
import shutil
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from qanat.clock import SystemClock
from qanat.errors import BadFile, Busy, ConfigError, FileChanged
from qanat.prove.ftp_server import USER, FtpServer
from qanat.sources.files_options import After, Ready
from qanat.sources.remote import Access, Address, Known, RemoteFolder, RemoteOptions
from qanat.sources.remote_ftp import FtpServer as FtpConnection
from qanat.sources.remote_spool import Spool
from tests.unit.sources.remote_kit import CONTENT, PASSWORD, Remote, content_of, fetched, side_file


def test_fetches_and_moves(remote: Remote) -> None:
    """A finished file comes whole, and is in done/ after its commit; a temporary name isn't input."""
    remote.put("usage 1.txt")
    remote.put("späte\\datei.txt")
    (remote.path / "half.txt.part").write_bytes(b"1 2")
    (remote.path / "folder.txt").mkdir()
    with remote.folder() as folder:
        stats = fetched(folder, 2)
        assert {"usage 1.txt", "späte\\\\datei.txt"} == {stat.name for stat in stats}
        for stat in stats:
            found = folder.find(stat)
            assert found is not None
            assert (stat, None, "none") == (found.stat, found.promised_digest, found.compression)
            assert CONTENT == content_of(folder, stat)
            folder.check(stat)
            assert f"done/{stat.name}" == folder.settle(stat, "done", 1)
            assert f"done/{stat.name}" == folder.settle(stat, "done", 1)  # after a crash
        assert [] == folder.scan()
    assert ["half.txt.part"] == remote.names()
    assert ["späte\\datei.txt", "usage 1.txt"] == remote.names("done")


def test_resumes_at_the_byte(remote: Remote, caplog: pytest.LogCaptureFixture) -> None:
    """Cut in the middle, again and again, a file goes on where it broke off."""
    remote.put("large.txt", CONTENT * 4)
    remote.data.arm(3_000_000, times=3)
    with caplog.at_level("INFO", "qanat"), remote.folder() as folder:
        (stat,) = fetched(folder)
        assert CONTENT * 4 == content_of(folder, stat)
    assert remote.data.cuts >= 2
    resumed = [getattr(r, "fields", {}).get("resumed_at", 0) for r in caplog.records]
    assert max(resumed) > 0


def test_resumes_in_a_new_process(remote: Remote) -> None:
    """What a run that was stopped has fetched isn't fetched again; what changed since is."""
    remote.put("large.txt", CONTENT * 4)
    spool = Spool(remote.spool)
    with remote.folder(start=False):
        entry = (remote.path / "large.txt").stat()
    with remote.folder() as folder:
        (stat,) = fetched(folder)
    spool.path(stat).unlink()
    copy = spool.begin(stat, None)
    copy.part.write_bytes(b"x" * 1000)  # what nobody would send, so that it can be told
    assert entry.st_size == stat.size
    with remote.folder() as folder:
        (stat,) = fetched(folder)
        content = content_of(folder, stat)
    assert b"x" * 1000 + (CONTENT * 4)[1000:] == content


def test_a_counted_file_is_not_fetched_again(remote: Remote) -> None:
    """Known by name, size and time, whether its copy is there or not; an open one is fetched again."""
    remote.put("a.txt")
    with remote.folder() as folder:
        (stat,) = fetched(folder)
    shutil.rmtree(remote.spool)
    remote.store.known[stat] = Known(open=False, gone=False)
    with remote.folder(after=After.KEEP) as folder:
        remote.put("b.txt", CONTENT + b"1 1\n")
        assert ["b.txt"] == [each.name for each in fetched(folder)]
        assert not folder.waiting()
        remote.store.known[stat] = Known(open=True, gone=False)
        assert "a.txt" == folder._missing(stat).message.partition(" ")[0]
        assert {"a.txt", "b.txt"} == {each.name for each in fetched(folder, 2)}


def test_a_name_that_comes_again_unchanged_is_told(remote: Remote) -> None:
    """What can't be told from a counted file isn't passed over in silence."""
    remote.put("a.txt")
    with remote.folder() as folder:
        (stat,) = fetched(folder)
    remote.store.known[stat] = Known(open=False, gone=True)
    with remote.folder() as folder:
        while not folder.waiting():
            folder.wait(0.1)
        (held,) = folder.waiting()
    assert held.problem
    assert "counted before" in held.detail


def test_the_side_file_decides(remote: Remote) -> None:
    """Nothing is fetched before its side file, nor against it."""
    for name in ("a.txt", "b.txt", "c.txt"):
        remote.put(name)
    remote.put("a.txt.meta.json", side_file(CONTENT))
    remote.put("b.txt.meta.json", side_file(CONTENT, size=7))
    with remote.folder(ready=Ready.SIDE_FILE) as folder:
        (stat,) = fetched(folder)
        found = folder.find(stat)
        assert found is not None
        assert json.loads(side_file(CONTENT))["digest"] == found.promised_digest
        while len(folder.waiting()) < 2:
            folder.wait(0.1)
        assert ["b.txt", "c.txt"] == [held.stat.name for held in folder.waiting()]
        folder.settle(stat, "done", 1)
    assert ["a.txt", "a.txt.meta.json"] == remote.names("done")


def test_a_wrong_digest_is_left_to_fail(remote: Remote) -> None:
    """Fetched twice, and then handed over as it is: the commit compares the same digest."""
    remote.put("a.txt")
    remote.put("a.txt.meta.json", side_file(CONTENT[:-1] + b" "))
    with remote.folder() as folder:
        (stat,) = fetched(folder)
        found = folder.find(stat)
        assert found is not None
        assert found.promised_digest is not None
        assert "failed/a.txt" == folder.settle(stat, "failed", 1)
    assert ["a.txt", "a.txt.meta.json"] == remote.names("failed")


def test_half_written_files_rest(remote: Remote) -> None:
    """With `rest` a file that keeps growing isn't taken before it stops, and then wholly."""
    target = remote.path / "slow.txt"
    pieces = 12

    def write() -> None:
        for number in range(pieces):
            with target.open("ab") as file:
                file.write(CONTENT[:1000])
            os.utime(target, (number, number))  # a time of its own for each, as a slow writer's
            time.sleep(0.1)

    writer = threading.Thread(target=write)
    with remote.folder(ready=Ready.REST, rest_s=1.5) as folder:
        writer.start()
        stats = fetched(folder)
        writer.join()
        assert [pieces * 1000] == [stat.size for stat in stats]
        assert CONTENT[:1000] * pieces == content_of(folder, stats[0])


def test_a_file_that_changes_meanwhile_comes_as_it_is_then(remote: Remote) -> None:
    """Replaced, renamed and removed under us: no mixture is ever handed over."""
    stop = threading.Event()
    versions = [bytes([65 + number]) * 3_000_000 for number in range(8)]

    def change() -> None:
        for number, content in enumerate([*versions] * 3):
            remote.put("a.txt", content[: len(content) - number])
            remote.put("passing.txt", content)
            (remote.path / "passing.txt").rename(remote.path / f"away-{number}.tmp")
            if stop.wait(0.05):
                return

    writer = threading.Thread(target=change)
    with remote.folder() as folder:
        writer.start()
        stats = fetched(folder)
        writer.join()
        stats = fetched(folder)
        stop.set()
        for stat in stats:
            assert 1 == len(set(content_of(folder, stat))), stat


def test_goes_on_when_the_server_is_back(remote: Remote) -> None:
    """A server that takes no connections is waited for; one that cuts them all as well."""
    remote.put("a.txt")
    remote.data.refuse(refusing=True)
    with remote.folder() as folder:
        while (state := Spool(remote.spool).state()) is None or not state.problem:
            folder.wait(0.05)
        assert remote.address.url == state.url
        assert PASSWORD not in state.problem
        remote.data.refuse(refusing=False)
        (stat,) = fetched(folder)
        remote.data.cut_all()
        remote.put("b.txt", CONTENT[:100])
        assert 2 == len(fetched(folder, 2))
        assert "done/a.txt" == folder.settle(stat, "done", 1)


def test_one_fetches_at_a_time(remote: Remote) -> None:
    """A second run on the same spool is refused."""
    with remote.folder(start=False) as one, remote.folder(start=False) as other:
        with one.claim("store", "metering", "here"), pytest.raises(Busy, match="fetches"):
            other.claim("store", "metering", "here")
        with pytest.raises(Busy), one.claim("store", "metering", "here"):
            other.claim("another", "metering", "there")
        other.claim("store", "metering", "here").release()


def test_a_missing_copy(remote: Remote) -> None:
    """One that is gone from both sides fails; one that was shortened does as well."""
    remote.put("a.txt")
    with remote.folder() as folder:
        (stat,) = fetched(folder)
        Spool(remote.spool).path(stat).write_bytes(b"1 1\n")
        with pytest.raises(FileChanged):
            folder.check(stat)
        (remote.path / "a.txt").unlink()
        Spool(remote.spool).drop(stat)
        with pytest.raises(BadFile, match="gone"), folder.open(stat, "none"):
            pass


def test_the_spool_is_bounded(remote: Remote) -> None:
    """What isn't counted yet holds up what comes after it; a single file may be larger than the bound."""
    for name in ("a.txt", "b.txt", "c.txt"):
        remote.put(name)
    with remote.folder(spool_bytes_max=1) as folder:
        for number in range(3):
            (stat,) = fetched(folder)
            remote.store.known[stat] = Known(open=False, gone=False)
            folder.settle(stat, "done", number)
            assert number + 1 == len(remote.names("done"))


def test_options_are_checked(tmp_path: Path) -> None:
    """Before anything connects."""
    address = Address("sftp", "host", 22, "", "/")
    for options in (
        RemoteOptions(address, tmp_path, poll_s=0),
        RemoteOptions(address, tmp_path, pattern="in/*"),
        RemoteOptions(address, tmp_path, Access(timeout_s=0)),
        RemoteOptions(address, tmp_path, spool_bytes_max=0),
    ):
        with pytest.raises(ConfigError):
            options.check()


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """It is told as a problem, and holds up nothing else."""
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    (incoming / "a.txt").write_bytes(CONTENT)
    secret = tmp_path / "password"
    secret.write_text(PASSWORD)
    with FtpServer(incoming, PASSWORD) as server:
        server.permit("elw")
        address = Address("ftp", "127.0.0.1", server.port, USER, "/")
        access = Access(password_file=secret)
        options = RemoteOptions(address, tmp_path / "spool", access, poll_s=0.05)
        connect = partial(FtpConnection, address, access)
        with RemoteFolder(options, SystemClock(), connect) as folder:
            folder.start(lambda _: {})
            while not folder.waiting():
                folder.wait(0.1)
            (held,) = folder.waiting()
            assert held.problem
            assert "can't be read" in held.detail
            server.permit("elradfmw")
            assert ["a.txt"] == [stat.name for stat in fetched(folder)]
