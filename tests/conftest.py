"""What holds for all tests."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["clients.results"]

# No timing asserted: a busy machine is not a failure, and neither is data that takes long to draw.
settings.register_profile("fleuve", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleuve")

# What a shell starts in the background ignores interrupts, and so do its children; many tests send them some.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what campaigns say of themselves: `record_property("ran", "100 kills, 172,746 records")`."""
    ran = [
        (report.nodeid.rpartition("/")[2], text, report.duration)
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        if report.when == "call"
        for name, text in report.user_properties
        if name == "ran"
    ]
    if ran:
        terminalreporter.section("what was run")
    for test, text, seconds in ran:
        terminalreporter.write_line(f"{seconds:7.1f} s  {text}  ({test})")
