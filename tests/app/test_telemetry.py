"""Every room's metrics are shown, under names that Prometheus' users expect."""

import importlib
import re
from pathlib import Path

import fleuve
from fleuve.app.telemetry import TABLES, Telemetry
from fleuve.base.metric import Kind
from fleuve.web.metrics import render, snapshot

ROOT = Path(fleuve.__file__).parent
ALL = [metric for _, table in TABLES for metric in table]


def test_every_table_of_metrics_is_known():
    modules = [
        ".".join(("fleuve", *path.relative_to(ROOT).with_suffix("").parts))
        for path in ROOT.rglob("*.py")
        if re.search(r"^METRICS\b", path.read_text(), re.MULTILINE)
    ]
    assert len(modules) == len(TABLES)
    for module in modules:
        assert any(importlib.import_module(module).METRICS is table for _, table in TABLES), module


def test_no_two_metrics_share_a_name():
    names = [metric.name for metric in ALL]
    assert sorted(set(names)) == sorted(names)


def test_names_follow_the_conventions_of_prometheus():
    assert [m.name for m in ALL if not re.fullmatch(r"fleuve_[a-z0-9_]+", m.name)] == []
    assert [m.name for m in ALL if (m.kind is Kind.COUNTER) != m.name.endswith("_total")] == []
    assert [m.name for m in ALL if re.search(r"_(ms|millis|kb|mb|count|sum|bucket)$", m.name)] == []
    assert [m.name for m in ALL if m.kind is Kind.HISTOGRAM and not re.search(r"_(seconds|bytes)$", m.name)] == []
    assert [m.name for m in ALL if not m.help.endswith(".")] == []


def test_the_lag_of_the_loop_is_there_before_anything_happened():
    text = render(snapshot(Telemetry().sources()), "")[0]
    assert b'fleuve_build_info{version="' in text
    assert b'fleuve_loop_lag_seconds_bucket{le="0.001"} 0.0' in text
