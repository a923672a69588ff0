"""Write `docs/reference/metrics.md` from the tables of metrics.

python tools/gen_metrics_page.py           write it
python tools/gen_metrics_page.py --check   exit with 1 if it is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fleuve.app.telemetry import TABLES
from fleuve.base.metric import Metric
from generated_page import finish

PAGE = "reference/metrics.md"

HEAD = """\
# Metrics

`/metrics` on the HTTP port (`--http`, `127.0.0.1:9644` by default) serves these in Prometheus' text format, or as
OpenMetrics to who asks for it. Beside them are the process's own numbers under their usual names:
`process_resident_memory_bytes`, `process_cpu_seconds_total`, `process_open_fds` and their like.

Counters start at 0 with the broker. Histograms of seconds have the same buckets throughout, except for the loop's lag.
A metric that is labelled by topic or group shows a bounded number of series; `fleuve_web_series_left_out` tells how
many there are beyond."""


def facts_of(metric: Metric) -> str:
    """Return a metric's type and its labels, which stand below its name."""
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"{metric.kind} by {labels}" if labels else str(metric.kind)


def page() -> str:
    """Return the page's text."""
    parts = [HEAD]
    for title, table in TABLES:
        rows = [f"| `{one.name}`<br>{facts_of(one)} | {one.help} |" for one in table]
        parts.append("\n".join([f"## {title}", "", "| metric | what it tells |", "|---|---|", *rows]))
    return "\n".join(f"{part}\n" for part in parts)


if __name__ == "__main__":
    sys.exit(finish(PAGE, page()))
