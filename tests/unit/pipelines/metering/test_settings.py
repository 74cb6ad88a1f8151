"""The settings of a run refuse what can't be meant."""

from pathlib import Path

import pytest

from qanat.errors import ConfigError
from qanat.pipelines.metering.settings import RunSettings
from qanat.settings import load


@pytest.mark.parametrize("name", ["part_size", "rollup_every", "letters_max"])
def test_zero_is_refused(name: str, tmp_path: Path) -> None:
    """Nothing can be cut into parts of no bytes, or done every no time."""
    with pytest.raises(ConfigError, match=f"--{name.replace('_', '-')} is .* it has to be"):
        load(RunSettings, {"input": "in", name: "0"}, directory=tmp_path, environment={})
