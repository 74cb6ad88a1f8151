"""What joins folders on servers to a store of `metering`."""

import sys
from pathlib import Path

import pytest

from qanat.clock import SystemClock
from qanat.errors import MissingExtra
from qanat.pipelines.metering.remote import remote_folder
from qanat.sources.remote import RemoteOptions, address_of


@pytest.mark.parametrize(
    ("scheme", "driver", "module"),
    [
        ("sftp", "paramiko", "qanat.sources.remote_sftp"),
        ("sftp", "fsspec", "qanat.sources.remote_sftp"),
        ("ftps", "fsspec", "qanat.sources.remote_ftp"),
    ],
)
def test_a_missing_driver_names_its_extra(
    scheme: str, driver: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is made or connects."""
    for name in [name for name in sys.modules if name.partition(".")[0] == driver]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, driver, None)
    monkeypatch.delitem(sys.modules, module, raising=False)
    options = RemoteOptions(address_of(f"{scheme}://host/in"), tmp_path / "spool")
    with pytest.raises(MissingExtra) as missing:
        remote_folder(options, SystemClock())
    assert "qanat[remote]" in missing.value.hint
    assert not (tmp_path / "spool").exists()
