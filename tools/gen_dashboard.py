"""Write `docs/grafana/fleuve.json`, the dashboard for Grafana: what each panel asks, and where it stands.

python tools/gen_dashboard.py           write it
python tools/gen_dashboard.py --check   exit with 1 if it is not what would be written
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent.parent / "docs" / "grafana" / "fleuve.json"

COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
# Which brokers: the variables at the dashboard's top.
OURS = 'job="$job", instance=~"$instance"'


@dataclass(frozen=True)
class Query:
    """A question in PromQL, and how its series are called; `%` in it stands for the selected brokers."""

    expression: str
    legend: str = "{{instance}}"

    def text(self) -> str:
        """Return the question with its selection of brokers."""
        return self.expression.replace("%", OURS)


@dataclass(frozen=True)
class Panel:
    """One panel: `kind` is Grafana's; `unit` is one of its units; `alarm` is where its colour turns to red."""

    title: str
    about: str
    queries: Sequence[Query]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 8
    alarm: float | None = None
    stacked: bool = False


def rate(metric: str, by: str = "instance", selected: str = "%") -> str:
    """Return the question for a counter's rate."""
    return f"sum by ({by}) (rate({metric}{{{selected}}}[$__rate_interval]))"


def quantile(share: float, metric: str, by: str = "", selected: str = "%") -> str:
    """Return the question for a quantile of a histogram."""
    return f"histogram_quantile({share}, sum by (le{by}) (rate({metric}_bucket{{{selected}}}[$__rate_interval])))"


def latency(metric: str) -> list[Query]:
    """Return the questions for the usual quantiles of a histogram."""
    return [Query(quantile(share, metric), name) for share, name in ((0.5, "50 %"), (0.95, "95 %"), (0.99, "99 %"))]


# A fetch waits for records, a join for the group's other members: their times say nothing about the broker.
WAITING = 'api!~"Fetch|JoinGroup|SyncGroup"'

ROWS: list[tuple[str, list[Panel]]] = [
    (
        "Now",
        [
            Panel("Up", "Brokers that answer Prometheus.", [Query("sum(up{%})")], kind="stat", width=4, height=4),
            Panel(
                "Records in",
                "Records appended to the log each second.",
                [Query("sum(rate(fleuve_log_appended_records_total{%}[$__rate_interval]))")],
                unit="cps",
                kind="stat",
                width=4,
                height=4,
            ),
            Panel(
                "Bytes in",
                "Bytes of batches appended to the log each second, compressed as they came.",
                [Query("sum(rate(fleuve_log_appended_bytes_total{%}[$__rate_interval]))")],
                unit="Bps",
                kind="stat",
                width=4,
                height=4,
            ),
            Panel(
                "Connections",
                "Open connections of clients.",
                [Query("sum(fleuve_kafka_connections{%})")],
                kind="stat",
                width=4,
                height=4,
            ),
            Panel(
                "Produce, 99 %",
                "99 of 100 Produce requests are answered within this time.",
                [Query(quantile(0.99, "fleuve_kafka_request_seconds", selected='%, api="Produce"'))],
                unit="s",
                kind="stat",
                width=4,
                height=4,
                alarm=1,
            ),
            Panel(
                "Largest lag",
                "The group that is furthest behind in one partition.",
                [Query("max(fleuve_groups_lag{%})")],
                kind="stat",
                width=4,
                height=4,
            ),
        ],
    ),
    (
        "Traffic",
        [
            Panel(
                "Records and batches in",
                "Appended to the log. Few records a batch means that producers wait for each of them.",
                [
                    Query(rate("fleuve_log_appended_records_total"), "records {{instance}}"),
                    Query(rate("fleuve_log_appended_batches_total"), "batches {{instance}}"),
                ],
                unit="cps",
            ),
            Panel(
                "Bytes on the network",
                "Everything that clients sent and got, requests and answers.",
                [
                    Query(rate("fleuve_kafka_received_bytes_total"), "in {{instance}}"),
                    Query(rate("fleuve_kafka_sent_bytes_total"), "out {{instance}}"),
                ],
                unit="Bps",
            ),
            Panel(
                "Reads: memory and disk",
                "Bytes read for fetches. From disk: a consumer is further behind than the tail cache reaches.",
                [
                    Query(rate("fleuve_log_tail_read_bytes_total"), "memory {{instance}}"),
                    Query(rate("fleuve_log_catch_up_read_bytes_total"), "disk {{instance}}"),
                ],
                unit="Bps",
            ),
            Panel(
                "Requests",
                "Requests answered, by API.",
                [Query(rate("fleuve_kafka_requests_total", by="api") + " > 0", "{{api}}")],
                unit="reqps",
                stacked=True,
            ),
            Panel(
                "Errors",
                "Error codes in answers. Some are part of normal work, such as those of a rebalance.",
                [Query(rate("fleuve_kafka_errors_total", by="api, code") + " > 0", "{{api}} {{code}}")],
                unit="cps",
            ),
            Panel(
                "Connections",
                "Open ones, and what ended or was refused each second.",
                [
                    Query("sum by (instance) (fleuve_kafka_connections{%})", "open {{instance}}"),
                    Query(rate("fleuve_kafka_connections_refused_total"), "refused/s {{instance}}"),
                    Query(rate("fleuve_kafka_connections_shed_total"), "shed/s {{instance}}"),
                    Query(rate("fleuve_kafka_malformed_total"), "malformed/s {{instance}}"),
                ],
            ),
        ],
    ),
    (
        "Latency",
        [
            Panel(
                "Produce",
                "From a Produce request's arrival to its answer, the flush included.",
                [
                    Query(quantile(share, "fleuve_kafka_request_seconds", selected='%, api="Produce"'), name)
                    for share, name in ((0.5, "50 %"), (0.95, "95 %"), (0.99, "99 %"))
                ],
                unit="s",
            ),
            Panel(
                "Other requests, 99 %",
                "By API. Fetch, JoinGroup and SyncGroup are left out: they wait on purpose.",
                [
                    Query(
                        quantile(0.99, "fleuve_kafka_request_seconds", by=", api", selected=f"%, {WAITING}"), "{{api}}"
                    )
                ],
                unit="s",
            ),
            Panel(
                "Event loop's lag",
                "How much later than asked a timer ran. Above 0.1 s the process is overloaded.",
                latency("fleuve_loop_lag_seconds"),
                unit="s",
                alarm=0.1,
            ),
            Panel(
                "Flush of an extent",
                "Writing and flushing what was gathered; each acknowledgement waits for one.",
                latency("fleuve_log_flush_seconds"),
                unit="s",
            ),
            Panel(
                "Flush of the device",
                "The device's part of it.",
                latency("fleuve_journal_flush_seconds"),
                unit="s",
            ),
            Panel(
                "Commit of the catalog",
                "SQLite's part of it.",
                latency("fleuve_log_commit_seconds"),
                unit="s",
            ),
        ],
    ),
    (
        "Consumer groups",
        [
            Panel(
                "Lag by group",
                "Records between what a group has committed and the end, over its partitions.",
                [Query("sum by (group, topic) (fleuve_groups_lag{%})", "{{group}}: {{topic}}")],
                width=12,
            ),
            Panel(
                "Groups and members",
                "Groups by state, and the members of all groups.",
                [
                    Query("sum by (state) (fleuve_groups{%})", "{{state}}"),
                    Query("sum(fleuve_groups_members{%})", "members"),
                ],
                width=6,
            ),
            Panel(
                "Rebalances",
                "Generations that became stable, and members that were given up, in the last 5 minutes.",
                [
                    Query("sum by (instance) (increase(fleuve_groups_rebalances_total{%}[5m]))", "rebalances"),
                    Query("sum by (instance) (increase(fleuve_groups_sessions_expired_total{%}[5m]))", "given up"),
                ],
                width=6,
            ),
        ],
    ),
    (
        "Storage",
        [
            Panel(
                "Written",
                "To the journal, by merges, and deleted by retention.",
                [
                    Query(rate("fleuve_journal_written_bytes_total"), "journal {{instance}}"),
                    Query(rate("fleuve_maintenance_merged_bytes_total"), "merges {{instance}}"),
                    Query(rate("fleuve_maintenance_retention_deleted_bytes_total"), "deleted {{instance}}"),
                ],
                unit="Bps",
            ),
            Panel(
                "Waiting to be merged",
                "Closed journal files. If this grows without end, merging does not keep up.",
                [Query("sum by (instance) (fleuve_maintenance_backlog_bytes{%})")],
                unit="bytes",
            ),
            Panel(
                "Failures",
                "Of flushes, of the journal's files, and of maintenance. Each should be 0.",
                [
                    Query(rate("fleuve_log_flush_errors_total"), "flushes {{instance}}"),
                    Query(rate("fleuve_journal_failures_total"), "journal {{instance}}"),
                    Query(rate("fleuve_maintenance_errors_total"), "maintenance {{instance}}"),
                    Query(rate("fleuve_maintenance_damaged_runs_total"), "damaged runs {{instance}}"),
                ],
                unit="cps",
            ),
            Panel(
                "Topics and partitions",
                "What there is.",
                [Query("max(fleuve_topics{%})", "topics"), Query("max(fleuve_partitions{%})", "partitions")],
            ),
            Panel(
                "Refused batches, duplicates",
                "Batches that were refused, and those of idempotent producers that were there already.",
                [
                    Query(rate("fleuve_log_rejected_batches_total"), "refused {{instance}}"),
                    Query(rate("fleuve_log_duplicate_batches_total"), "duplicates {{instance}}"),
                ],
                unit="cps",
            ),
            Panel(
                "Open files",
                "File descriptors of the process.",
                [Query("process_open_fds{%}"), Query("process_max_fds{%}", "limit {{instance}}")],
            ),
        ],
    ),
    (
        "Resources",
        [
            Panel(
                "CPU",
                "Of one core; the event loop has one, and helpers some of another.",
                [Query("rate(process_cpu_seconds_total{%}[$__rate_interval])")],
                unit="percentunit",
            ),
            Panel("Memory", "Of the process.", [Query("process_resident_memory_bytes{%}")], unit="bytes"),
            Panel(
                "Bounded memory in use",
                "Where one reaches 100 %, clients wait at their sockets.",
                [
                    Query("fleuve_log_buffer_bytes{%} / fleuve_log_buffer_bytes_max{%}", "produced, {{instance}}"),
                    Query(
                        "fleuve_kafka_request_memory_bytes{%} / fleuve_kafka_request_memory_capacity_bytes{%}",
                        "requests, {{instance}}",
                    ),
                    Query(
                        "fleuve_kafka_fetch_memory_bytes{%} / fleuve_kafka_fetch_memory_capacity_bytes{%}",
                        "answers, {{instance}}",
                    ),
                ],
                unit="percentunit",
                alarm=0.9,
            ),
        ],
    ),
]


def panels() -> Iterator[dict[str, object]]:
    """Yield the panels, each in its place: from left to right, then the next line."""
    number, top = 1, 0
    for title, row in ROWS:
        yield {
            "id": number,
            "type": "row",
            "title": title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
        }
        number, top, left = number + 1, top + 1, 0
        for panel in row:
            if left + panel.width > COLUMNS:
                left, top = 0, top + panel.height
            yield drawn(panel, number, {"h": panel.height, "w": panel.width, "x": left, "y": top})
            number, left = number + 1, left + panel.width
        top += row[-1].height


def drawn(panel: Panel, number: int, place: dict[str, int]) -> dict[str, object]:
    """Return a panel in Grafana's words."""
    steps: list[dict[str, object]] = [{"color": "green", "value": None}]
    if panel.alarm is not None:
        steps.append({"color": "red", "value": panel.alarm})
    custom = {
        "lineWidth": 1,
        "fillOpacity": 10,
        "showPoints": "never",
        "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
    }
    options: dict[str, object] = {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    if panel.kind == "stat":
        custom = {}
        options = {
            "colorMode": "value",
            "graphMode": "area",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "textMode": "value",
        }
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "color": {"mode": "thresholds" if panel.kind == "stat" else "palette-classic"},
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": custom,
            },
            "overrides": [],
        },
        "options": options,
        "targets": [
            {
                "refId": chr(ord("A") + place_in_panel),
                "datasource": SOURCE,
                "expr": query.text(),
                "legendFormat": query.legend,
                "editorMode": "code",
                "range": True,
            }
            for place_in_panel, query in enumerate(panel.queries)
        ],
    }


def variable(name: str, label: str, query: str, *, multi: bool) -> dict[str, object]:
    """Return a choice at the dashboard's top, made of what Prometheus has."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
        "includeAll": multi,
        "multi": multi,
        "current": {"text": ["All"], "value": ["$__all"]} if multi else {},
        "options": [],
    }


def dashboard() -> dict[str, object]:
    """Return the whole dashboard."""
    source = {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "current": {},
        "options": [],
    }
    return {
        "title": "Fleuve",
        "uid": "fleuve",
        "description": "An event-streaming broker that speaks the Apache Kafka wire protocol.",
        "tags": ["fleuve", "kafka"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "templating": {
            "list": [
                source,
                variable("job", "Job", "label_values(fleuve_build_info, job)", multi=False),
                variable("instance", "Broker", 'label_values(fleuve_build_info{job="$job"}, instance)', multi=True),
            ]
        },
        "annotations": {"list": []},
        "links": [],
        "panels": list(panels()),
    }


def main() -> int:
    """Write or compare the file; return the exit code."""
    text = json.dumps(dashboard(), indent=1) + "\n"
    if sys.argv[1:] != ["--check"]:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(text)
    elif not FILE.exists() or FILE.read_text() != text:
        print(f"docs/grafana/{FILE.name} is out of date: run python tools/{Path(__file__).name}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
