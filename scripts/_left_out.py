"""Runs pytest, with a section at the end that says what was left out.

test.py starts it, in the environment: pytest isn't there before.
"""

import sys
from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints each reason for a skip once, with the number of tests it left out."""
    reasons = Counter(
        skip_reason(report)
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report, pytest.TestReport | pytest.CollectReport)
    )
    terminalreporter.ensure_newline()
    terminalreporter.section("Left out")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:>5}  {reason}")
    if not reasons:
        terminalreporter.write_line("       nothing")


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test, or a whole module, was skipped, in one line."""
    place_and_reason = report.longrepr
    text = place_and_reason[2] if isinstance(place_and_reason, tuple) else str(place_and_reason)
    return " ".join(text.removeprefix("Skipped: ").split())


if __name__ == "__main__":
    # The reasons are in our own section, so pytest lists failures and errors only.
    sys.exit(pytest.main(["-r", "fE", *sys.argv[1:]], plugins=[sys.modules[__name__]]))
