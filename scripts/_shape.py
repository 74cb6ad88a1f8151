"""The sizes that keep the code readable in an evening, and who exceeds them."""

import ast
from collections.abc import Iterator
from pathlib import Path

# Asked for already at 300 and 40: a reason. These are the ends of the road.
MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60


def too_long(folders: list[Path]) -> Iterator[str]:
    """A line for each module and each function that is longer than it may be."""
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            source = path.read_text(encoding="utf-8")
            yield from _long_pieces(path, source)


def _long_pieces(path: Path, source: str) -> Iterator[str]:
    count = len(source.splitlines())
    if count > MODULE_LINES_MAX:
        yield f"{path}: {count} lines; {MODULE_LINES_MAX} is the limit for a module"
    for node in ast.walk(ast.parse(source, filename=str(path))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > FUNCTION_LINES_MAX:
                limit = f"{FUNCTION_LINES_MAX} is the limit for a function"
                yield f"{path}:{node.lineno}: {node.name} has {count} lines; {limit}"
