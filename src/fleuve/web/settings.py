"""Settings that the HTTP edge reads."""

from __future__ import annotations

from fleuve.base.setting import Scope, Setting, ValueType

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="fleuve.http.listen",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default="127.0.0.1:9644",
        doc="HOST:PORT for health and metrics over HTTP; port 0 takes a free one. `off`: none.",
    ),
)
