"""The dashboard and the alerts ask for what the broker tells, in PromQL that Prometheus understands."""

import itertools
import json
import re
from collections.abc import Iterator

import promql_parser
import pytest
import yaml

from fleuve.app.telemetry import TABLES
from support.pages import DOCS

DASHBOARD = json.loads((DOCS / "grafana" / "fleuve.json").read_text())
ALERTS = yaml.safe_load((DOCS / "grafana" / "alerts.yml").read_text())["groups"][0]["rules"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
# What Grafana puts in before Prometheus sees the question.
FILLED_IN = {"$__rate_interval": "5m", "$job": "fleuve", "$instance": ".*"}

METRICS = {metric.name: metric for _, table in TABLES for metric in table}
# Of the process, and of Prometheus itself.
OTHERS = {
    "up": "gauge",
    "process_cpu_seconds_total": "counter",
    "process_max_fds": "gauge",
    "process_open_fds": "gauge",
    "process_resident_memory_bytes": "gauge",
}
PROMETHEUS_LABELS = {"job", "instance"}
UNITS = {"short", "s", "bytes", "Bps", "cps", "reqps", "percentunit"}


def filled_in(expression):
    for name, value in FILLED_IN.items():
        expression = expression.replace(name, value)
    return expression


def questions() -> Iterator[tuple[str, str]]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", filled_in(target["expr"])
    for alert in ALERTS:
        yield alert["alert"], alert["expr"]


QUESTIONS = dict(questions())


def parts(node):
    """Return a parsed question and all its parts."""
    inner = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "param", "vector_selector")]
    inner += getattr(node, "args", [])
    return [node, *itertools.chain.from_iterable(parts(one) for one in inner if one is not None)]


def labels_of(selector):
    """Return the labels that a selected metric has."""
    name = re.sub(r"_(bucket|count|sum)$", "", selector.name)
    if name != selector.name:
        assert METRICS[name].kind == "histogram"
    bucket = {"le"} if selector.name.endswith("_bucket") else set()
    return PROMETHEUS_LABELS | bucket | (set() if name in OTHERS else set(METRICS[name].labels))


def selectors(expression):
    return [one for one in parts(promql_parser.parse(expression)) if isinstance(one, promql_parser.VectorSelector)]


def kind_of(name):
    return OTHERS.get(name) or METRICS[re.sub(r"_bucket$", "", name)].kind


@pytest.mark.parametrize("question", QUESTIONS)
def test_metrics_and_labels_exist(question):
    found = selectors(QUESTIONS[question])
    assert found
    for selector in found:
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= labels_of(selector)


@pytest.mark.parametrize("question", QUESTIONS)
def test_series_are_grouped_by_labels_that_they_have(question):
    for node in parts(promql_parser.parse(QUESTIONS[question])):
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier:
            assert {label for selector in selectors(str(node.expr)) for label in labels_of(selector)} >= set(
                node.modifier.labels
            )


@pytest.mark.parametrize("question", QUESTIONS)
def test_counters_are_asked_for_their_rate_and_gauges_are_not(question):
    nodes = parts(promql_parser.parse(QUESTIONS[question]))
    rated = {
        node.args[0].vector_selector.name
        for node in nodes
        if isinstance(node, promql_parser.Call) and node.func.name in {"rate", "increase"}
    }
    names = {selector.name for selector in selectors(QUESTIONS[question])}
    assert {name for name in names if kind_of(name) != "gauge"} == rated


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_legends_name_labels_that_are_left(panel):
    for target in panel["targets"]:
        tree = promql_parser.parse(filled_in(target["expr"]))
        outer = next((node for node in parts(tree) if isinstance(node, promql_parser.AggregateExpr)), None)
        left = PROMETHEUS_LABELS if outer is None else set(outer.modifier.labels if outer.modifier else ())
        if panel["type"] != "stat":
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= left


def test_panels_stand_side_by_side():
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(24))


def test_the_dashboard_is_one_that_grafana_imports():
    assert DASHBOARD["schemaVersion"] >= 36
    variables = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    asked = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps([DASHBOARD["panels"], DASHBOARD["templating"]])))
    assert asked == variables == {"datasource", "job", "instance"}
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
        assert panel["description"].endswith(".")
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == sorted(set(letters))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_each_alert_says_what_to_do(alert):
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert set(alert["annotations"]) == {"summary", "action"}
    labels = set(re.findall(r"\$labels\.(\w+)", alert["annotations"]["summary"]))
    tree = promql_parser.parse(alert["expr"])
    outer = next((node for node in parts(tree) if isinstance(node, promql_parser.AggregateExpr)), None)
    assert labels <= (PROMETHEUS_LABELS if outer is None else set(outer.modifier.labels))


def test_prometheus_is_told_of_the_alerts_and_of_the_brokers_port():
    configuration = yaml.safe_load((DOCS / "grafana" / "prometheus.yml").read_text())
    assert configuration["rule_files"] == ["alerts.yml"]
    (job,) = configuration["scrape_configs"]
    assert job["job_name"] == "fleuve"
    assert job["static_configs"] == [{"targets": ["localhost:9644"]}]
