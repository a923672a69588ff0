"""Which listeners to open: `--listen`, else Kafka's `listeners` with `advertised.listeners`, else the default."""

from __future__ import annotations

from fleuve.app.options import (
    LISTENERS_DEFAULT,
    Address,
    ListenerSpec,
    UsageError,
    check_listeners,
    make_listener,
    parse_address,
    parse_listener,
)
from fleuve.app.sources import Settings, listener_name


def listener_specs(given: tuple[ListenerSpec, ...] | None, settings: Settings) -> tuple[ListenerSpec, ...]:
    """Return the listeners to open. Raises UsageError where they cannot be used as written."""
    if given is not None:
        return given
    if "listeners" not in settings:
        if "advertised.listeners" in settings:
            advertised = _addresses(settings.advertised_listeners, flag="advertised.listeners")
            bind = parse_address(LISTENERS_DEFAULT, flag="--listen")
            (name, address), *others = advertised.items()
            if others:
                raise UsageError("advertised.listeners: there is one listener, localhost:9092; set listeners, too")
            return (make_listener(name, bind, address, flag="advertised.listeners", text=str(address)),)
        return (parse_listener(LISTENERS_DEFAULT),)
    advertised = _addresses(settings.advertised_listeners, flag="advertised.listeners")
    specs = []
    for text in settings.listeners:
        ((name, bind),) = _addresses((text,), flag="listeners").items()
        specs.append(make_listener(name, bind, advertised.pop(name, bind), flag="listeners", text=text))
    if not specs:
        raise UsageError("listeners: there is none for clients; name at least one, as in PLAINTEXT://localhost:9092")
    if advertised:
        raise UsageError(f"advertised.listeners: there is no listener named {next(iter(advertised))}")
    check_listeners(specs, flag="listeners")
    return tuple(specs)


def _addresses(texts: tuple[str, ...], *, flag: str) -> dict[str, Address]:
    found: dict[str, Address] = {}
    for text in texts:
        name, separator, rest = text.partition("://")
        if not separator:
            raise UsageError(f"{flag}: {text!r} is not a listener: want NAME://HOST:PORT")
        name = listener_name(text)
        if name in found:
            raise UsageError(f"{flag}: two listeners are named {name}: give each its own name")
        found[name] = parse_address(rest.strip(), flag=flag)
    return found
