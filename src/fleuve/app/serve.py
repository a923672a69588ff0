"""`fleuve serve` as a program: settings, signals, the line that says it is ready, the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from fleuve.app import logging as app_logging
from fleuve.app.broker import Broker
from fleuve.app.listeners import listener_specs
from fleuve.app.loops import loop_factory
from fleuve.app.options import Address, ServeOptions, UsageError, is_loopback, parse_http
from fleuve.app.registry import registry
from fleuve.app.service_manager import READY, STOPPING, notify
from fleuve.app.sources import Settings, SettingsError, read, service_manager
from fleuve.app.surroundings import this_machine
from fleuve.base.log import Logger

STOP_S_MAX = 10.0
"""From the signal to the exit, whatever hangs."""

PAGE_CACHE = "log.flush.interval.messages"


def run(options: ServeOptions) -> int:
    """Run a broker as `options` say until SIGTERM or SIGINT, and return the exit code.

    Raises UsageError, and FleuveError with one line where the broker cannot start.
    """
    table = registry()
    try:
        settings = read(
            table,
            flags=_flags(options),
            assignments=_assignments(options),
            config=options.config,
        )
    except SettingsError as error:
        raise UsageError(str(error)) from None
    http = parse_http(settings.string("fleuve.http.listen"))
    logger = app_logging.configure(settings.string("fleuve.log.level"), settings.string("fleuve.log.format"))
    for warning in settings.warnings:
        logger.warning(warning)
    specs = listener_specs(options.listeners, settings)
    for spec in specs:
        if not spec.is_loopback:
            address = Address(spec.host or "*", spec.port)
            logger.warning(
                "a listener can be reached from other machines; there are no TLS and no logins yet",
                listener=str(address),
            )
    if http is not None and not is_loopback(http.host):
        logger.warning("the HTTP port can be reached from other machines", http=str(http))
    with _data_directory(options, settings) as directory:
        around = this_machine(directory, settings, logger, keeps_data=not options.ephemeral)
        broker = Broker(table, settings, around=around, listeners=specs, http=http, logger=logger)
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_serve(broker, options, settings, directory, logger))


async def _serve(broker: Broker, options: ServeOptions, settings: Settings, directory: Path, logger: Logger) -> int:
    stopping = asyncio.Event()
    _on_signals(stopping)
    await broker.start()
    # What was loaded stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    try:
        _announce(broker, options, settings, directory)
    except BaseException:
        await broker.stop()
        raise
    broker.failed.add_done_callback(lambda _: stopping.set())
    notify(service_manager(), READY)
    await stopping.wait()
    notify(service_manager(), STOPPING)
    if options.ready_file is not None:
        _remove_ready_file(options.ready_file, _ready_text(broker))
    failed = broker.failed.result() if broker.failed.done() else None
    if failed is not None:
        logger.error("the broker cannot go on", error=str(failed))
    else:
        logger.info("stopping")
    # A thread may hang in a device that does not answer; the promise of an exit does not depend on it.
    watchdog = asyncio.get_running_loop().call_later(STOP_S_MAX - 0.5, os._exit, 0 if failed is None else 1)
    await broker.stop()
    watchdog.cancel()
    return 0 if failed is None else 1


def _announce(broker: Broker, options: ServeOptions, settings: Settings, directory: Path) -> None:
    """Say that the broker is ready, to who waits for the file and to who reads the output."""
    if options.ready_file is not None:
        _write_ready_file(options.ready_file, _ready_text(broker))
    addresses = ", ".join(str(address) for address in broker.addresses)
    promise = "flushed" if settings.integer(PAGE_CACHE) == 1 else "page cache"
    where = "a temporary directory" if options.ephemeral else str(directory)
    # Nobody may be there to read it: the broker was started for its port.
    with contextlib.suppress(OSError, ValueError):
        print(f"fleuve is ready: {addresses}; data in {where}; promise: {promise}", flush=True)  # noqa: T201


def _on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def received(number: int) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    numbers = [signal.SIGTERM, signal.SIGINT]
    if sys.platform == "win32":
        # Ctrl-Break, which is also what one process there can send to another one's group.
        numbers.append(signal.SIGBREAK)
    for number in numbers:
        try:
            loop.add_signal_handler(number, received, number)
        except NotImplementedError:  # Windows: the handler runs between two steps of the loop.
            signal.signal(number, lambda got, _frame: loop.call_soon_threadsafe(received, got))


def _ready_text(broker: Broker) -> str:
    return f"{broker.addresses[0]}\n"


def _remove_ready_file(path: Path, text: str) -> None:
    # Who waits for the file of the next broker must not find this one's; nor lose it, if that one is there already.
    with contextlib.suppress(OSError, ValueError):
        if path.read_text(encoding="utf-8") == text:
            path.unlink()


def _write_ready_file(path: Path, text: str) -> None:
    # Whoever waits for the file must never see half of it.
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise UsageError(
            f"--ready-file: {path} cannot be written ({error.strerror}): name a file in a directory that is there"
        ) from error


def _flags(options: ServeOptions) -> Mapping[str, str]:
    # `--listen` opens the listeners; as a setting they are judged like those of a file.
    listeners = [f"{spec.name}://{Address(spec.host, spec.port)}" for spec in options.listeners or ()]
    flags = {
        "listeners": ",".join(listeners) or None,
        "fleuve.data.dir": None if options.data_dir is None else str(options.data_dir),
        "fleuve.http.listen": options.http,
        "fleuve.log.format": options.log_format,
        "fleuve.log.level": options.log_level,
    }
    return {name: text for name, text in flags.items() if text is not None}


def _assignments(options: ServeOptions) -> list[tuple[str, str]]:
    given = list(options.settings)
    if options.ephemeral and PAGE_CACHE not in dict(given):
        # Nothing survives the process: flushing to the device would only take time.
        given.append((PAGE_CACHE, str(2**63 - 1)))
    return given


@contextlib.contextmanager
def _data_directory(options: ServeOptions, settings: Settings) -> Iterator[Path]:
    if not options.ephemeral:
        yield Path(settings.data_dir)
        return
    directory = Path(tempfile.mkdtemp(prefix="fleuve-"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
