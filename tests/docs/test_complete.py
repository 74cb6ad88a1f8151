"""Whatever a user can meet has its place in the documentation."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import click
import msgspec
import pytest

import _docs_commands as commands
from qanat import errors, settings
from qanat.failpoints import POINTS
from qanat.pipelines.metering import PIPELINE
from qanat.runtime.alarms import Alarm
from qanat.runtime.registry import FileState
from qanat.serve.metrics import STORED
from qanat.sources.files import After, Ready, Watch
from qanat.sources.files_names import _TEMPORARY_SUFFIXES
from qanat.telemetry import EVENTS, METRICS, READINGS, STATES
from qanat.testing import laws
from qanat.wiring import EXTRAS, LOGS, PIPELINES, STORES
from tests.docs.pages import CHECKOUT, page, pages

SOURCE = CHECKOUT / "src" / "qanat"
CONFTEST = CHECKOUT / "tests" / "conftest.py"


def missing(names: Iterable[str], where: str) -> list[str]:
    """The names that a page doesn't show as code."""
    text = page(where).text
    return [name for name in names if f"`{name}" not in text]


def settings_declarations() -> list[type[msgspec.Struct]]:
    """Every declaration of settings that any command uses."""
    for _ in commands.every_command():
        pass  # imports them all
    found, waiting = [], [msgspec.Struct]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if kind.__module__.startswith("qanat.") and kind.__name__.endswith("Settings"):
                found.append(kind)
    return found


@pytest.mark.parametrize("declaration", settings_declarations(), ids=lambda kind: kind.__name__)
def test_settings(declaration: type[msgspec.Struct]) -> None:
    """Each setting of each command is listed, with its option and its variable."""
    fields = settings.fields(declaration)
    assert fields
    for names in (
        [f"{field.name}`" for field in fields],
        [f"{field.option}`" for field in fields],
        [f"{field.variable}`" for field in fields],
    ):
        assert [] == missing(names, "docs/settings.md")


def test_every_declaration_is_generated() -> None:
    """A new command's settings get a table of their own."""
    assert set(commands.DECLARATIONS.values()) == set(settings_declarations())


def test_variables() -> None:
    """Each environment variable that our code, scripts or tests read is explained."""
    paths = [*SOURCE.rglob("*.py"), *(CHECKOUT / "scripts").glob("*.py"), CONFTEST]
    texts = [path.read_text(encoding="utf-8") for path in paths]
    found = {name for text in texts for name in re.findall(r"QANAT_[A-Z_]*[A-Z]", text)}
    assert [] == missing(sorted(found - {"QANAT_NAME"}), "docs/settings.md")


def test_commands() -> None:
    """Each command has its heading, and each of its own options is in its help there."""
    text = page("docs/commands.md").text
    for path, command in commands.every_command():
        section = text.partition(f"## `{path}`\n")[2].partition("\n## ")[0]
        assert section, f"{path} has no section"
        for option in command.params:
            shown = (
                option.opts[0] if isinstance(option, click.Option) else option.human_readable_name
            )
            assert shown in section, f"{path} {shown}"


def test_exit_codes() -> None:
    """Each exit code that an error can bring about is listed."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.QanatError)}
    assert {1, 2} == codes
    for code in (0, *codes, 130, 141):
        assert f"| {code} |" in page("docs/commands.md").text


def test_metrics_and_events() -> None:
    """Each metric and each event is listed."""
    assert [] == missing([*METRICS, *READINGS, *STATES, *STORED, *EVENTS], "docs/metrics.md")


def test_reports() -> None:
    """Each report has its heading, with everything that can be set of it."""
    text = page("docs/reports.md").text
    for report in PIPELINE.reports:
        section = text.partition(f"### `{report.name}`\n")[2].partition("\n#")[0]
        names = [each.name for each in report.parameters] + [each.name for each in report.columns]
        assert [] == [name for name in names if f"| `{name}` |" not in section]


def test_alarms() -> None:
    """Each alarm is explained where one looks when it rings, and each rule is there."""
    assert [] == missing([f"{alarm}`" for alarm in Alarm], "docs/operations.md")
    rules = (CHECKOUT / "deploy" / "prometheus" / "qanat.rules.yml").read_text(encoding="utf-8")
    names = re.findall(r"alert: (\w+)", rules)
    assert names
    assert [] == missing([f"{name}`" for name in names], "docs/operations.md")


def test_failpoints() -> None:
    """Each failpoint is listed."""
    assert [] == missing(POINTS, "docs/prove.md")


def test_tables() -> None:
    """Each table has its heading, and each column its line there."""
    text = page("docs/tables.md").text
    for table in PIPELINE.tables:
        section = text.partition(f"### `{table.name}`\n")[2].partition("\n#")[0]
        assert [] == [name for name in table.names if f"| `{name}` |" not in section], table.name


def test_stores() -> None:
    """Each scheme of a store's URL is explained, and each has a heading's section around it."""
    text = page("docs/stores.md").text
    assert [] == [scheme for scheme in STORES if f"{scheme}:" not in text]
    for title in ("DuckDB", "PostgreSQL", "PostgreSQL in a wheel", "In memory"):
        assert f"\n## {title}\n" in text


def test_logs() -> None:
    """Each scheme of a log's URL is explained where one reads about topics."""
    text = page("docs/topics.md").text
    assert [] == [scheme for scheme in LOGS if f"{scheme}:" not in text]


def test_sources() -> None:
    """Each source is a heading of the page about sources, and each choice that it offers is there."""
    modules = [path.stem for path in (SOURCE / "sources").glob("*.py") if path.stem != "__init__"]
    systems = {name.partition("_")[0] for name in modules}
    for system in systems:
        assert re.search(rf"^## .*\(`{system}`\)$", page("docs/sources.md").text, re.MULTILINE)
    assert [] == missing([*Ready, *After], "docs/sources.md")
    assert [] == missing([f"--watch {word}" for word in Watch], "docs/sources.md")
    assert [] == missing([suffix + "`" for suffix in _TEMPORARY_SUFFIXES], "docs/sources.md")


def test_file_states() -> None:
    """Each state in which a file can be is explained."""
    text = page("docs/tables.md").text + page("docs/operations.md").text
    assert [] == [state for state in FileState if state not in text]


def test_extras() -> None:
    """Each extra that can be installed is named where one installs."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert [] == [name for name in extras if f"[{name}]" not in page("docs/start.md").text]
    assert set(EXTRAS.values()) <= set(extras)


def test_laws() -> None:
    """The guides name the laws that they are about, each class of them."""
    guides = page("docs/add-a-store.md").text + page("docs/add-a-source.md").text
    both = (*laws.StoreLaws.__bases__, *laws.LogLaws.__bases__)
    parts = [kind.__name__ for kind in both]
    named = [f"`{name}`" for name in (*parts, *laws.__all__) if name.endswith("Laws")]
    assert [] == [name for name in named if name not in guides]


def test_pipelines() -> None:
    """Each pipeline that ships is in the README."""
    assert [] == missing(PIPELINES, "README.md")


def test_layout() -> None:
    """The tree that the design draws has every package and module of the top, and no other."""
    text = page("docs/design/index.md").text
    tree = text.partition("```text tree\n")[2].partition("```")[0]
    drawn = set(re.findall(r"^  ([a-z_]+(?:\.py|/))", tree, re.MULTILINE))
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in SOURCE.iterdir()
        if _is_code(path)
    }
    assert there == drawn


def _is_code(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").exists()


def test_every_page_can_be_reached() -> None:
    """Each page is linked from another one."""
    linked = {
        (CHECKOUT / each.name).parent.joinpath(target.partition("#")[0]).resolve()
        for each in pages()
        for target in each.links
        if "://" not in target
    }
    assert [] == [
        each.name
        for each in pages()
        if each.name != "README.md" and (CHECKOUT / each.name).resolve() not in linked
    ]
