"""Settings that `app` itself reads: where the data is, and what is logged."""

from __future__ import annotations

from fleuve.base.setting import OneOf, Scope, Setting, ValueType

_ONE_DIRECTORY = "There is one data directory: more than one name is an error. `--data-dir` comes first."

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="log.dir",
        scope=Scope.BROKER,
        type=ValueType.LIST,
        default="./fleuve-data",
        doc="The data directory, where `log.dirs` is not set.",
        differs=f"{_ONE_DIRECTORY} Apache Kafka's default is /tmp/kafka-logs.",
    ),
    Setting(
        name="log.dirs",
        scope=Scope.BROKER,
        type=ValueType.LIST,
        default=None,
        doc="The data directory.",
        differs=_ONE_DIRECTORY,
    ),
    Setting(
        name="fleuve.data.dir",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default=None,
        doc="The data directory, what `--data-dir` sets; comes before `log.dirs` and `log.dir`.",
    ),
    Setting(
        name="fleuve.log.format",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default="auto",
        check=OneOf("auto", "text", "json"),
        doc="How log lines look on stderr; `auto`: text on a terminal, else JSON.",
    ),
    Setting(
        name="fleuve.log.level",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default="info",
        check=OneOf("debug", "info", "warning", "error"),
        doc="The least important log lines that are written.",
    ),
)
