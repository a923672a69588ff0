"""Settings as a test writes them: Kafka's names as keywords, values of Python."""

from __future__ import annotations

from collections.abc import Mapping

from fleuve.app.in_thread import guest_settings
from fleuve.app.options import UsageError
from fleuve.app.sources import ENVIRONMENT_PREFIX, Settings, environment_name

SettingValue = str | int | float | bool | list[str] | tuple[str, ...]
"""What the value of a setting may be; a list is joined by commas."""

OURS = {
    "advertised.listeners": "the broker listens on a free port of the loopback",
    "listeners": "the broker listens on a free port of the loopback",
    "fleuve.data.dir": "give data_dir to keep the data",
    "log.dir": "give data_dir to keep the data",
    "log.dirs": "give data_dir to keep the data",
    "fleuve.log.format": "the broker logs to the logger 'fleuve' of this process",
    "fleuve.log.level": "the broker logs to the logger 'fleuve' of this process",
}
"""What is not for a test to say, and why."""


def texts(given: Mapping[str, SettingValue] | None, named: Mapping[str, SettingValue], *, by: str) -> dict[str, str]:
    """Return settings by Kafka's names, as texts.

    In a keyword `_` stands for a dot, `__` for an underscore, `___` for a dash, as in the environment of Kafka's
    container image. Raises UsageError, which names `by`.
    """
    result = {name: _text(name, value, by) for name, value in (given or {}).items()}
    for keyword, value in named.items():
        name = environment_name(ENVIRONMENT_PREFIX + keyword)
        if name in result:
            raise UsageError(f"{by}: {name} is given twice")
        result[name] = _text(name, value, by)
    return result


def _text(name: str, value: object, by: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return ",".join(_text(name, one, by) for one in value)
    raise UsageError(f"{by}: {name}: want a text, a number, True or False, got {value!r}")


def settings_of(given: Mapping[str, str]) -> Settings:
    """Return the settings of a broker in a test. Raises UsageError, SettingsError."""
    by = "broker()"
    for name in given:
        if name in OURS:
            raise UsageError(f"{by}: {name} cannot be set: {OURS[name]}")
    return guest_settings(list(given.items()), assigned_by=by)
