"""The limits on the size of modules and functions."""

from pathlib import Path

import pytest

import _shape as shape


@pytest.mark.parametrize(
    ("lines", "expected"),
    [(shape.MODULE_LINES_MAX, 0), (shape.MODULE_LINES_MAX + 1, 1)],
)
def test_a_module_may_have_so_many_lines(tmp_path: Path, lines: int, expected: int) -> None:
    """The limit itself is allowed."""
    (tmp_path / "module.py").write_text("x = 1\n" * lines)
    assert len(list(shape.too_long([tmp_path]))) == expected


@pytest.mark.parametrize("keyword", ["def", "async def"])
def test_a_long_function_is_named_with_its_place(tmp_path: Path, keyword: str) -> None:
    """Also inside of a class, and whether it is asynchronous or not."""
    body = "        x = 1\n" * shape.FUNCTION_LINES_MAX
    path = tmp_path / "module.py"
    path.write_text(f"class C:\n    {keyword} long(self):\n{body}")
    count = shape.FUNCTION_LINES_MAX + 1
    [offender] = shape.too_long([tmp_path])
    assert offender.startswith(f"{path}:2: long has {count} lines")
