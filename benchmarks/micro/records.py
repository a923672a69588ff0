"""What checking a record batch costs: µs per call, best of several runs.

Run it as `python benchmarks/micro/records.py` in an environment where fleuve is installed. The checksum is
shown by itself: it is the part that grows with the batch. Expected: under 1 µs beside the checksum.
"""

from __future__ import annotations

import timeit
from collections.abc import Callable

from crc32c import crc32c

from fleuve.records.batch import check_batch, patch, read_header, stamp_log_append_time, walk
from fleuve.records.compression import Compression, decompress
from fleuve.records.record import Record, build_batch, keyless_records, payload_of

RUN_SECONDS = 0.05
RUNS = 7
SIZES_BYTES = (200, 16 * 1024, 1024 * 1024)
VALUE = b'{"id": 1234567, "name": "some name", "tags": ["a", "b"], "when": "2026-01-01"}' + b" " * 20


def microseconds(call: Callable[[], object]) -> float:
    """Return the time of one call, best of RUNS."""
    timer = timeit.Timer(call)
    once = max(timer.timeit(3) / 3, 1e-8)
    number = max(1, int(RUN_SECONDS / once))
    return min(timer.repeat(RUNS, number)) / number * 1e6


def main() -> None:
    """Print the table."""
    print(f"{'batch':>10} {'check':>8} {'of it CRC':>10} {'patch':>8} {'log append time':>16} {'walk':>8}")
    for size_bytes in SIZES_BYTES:
        value = VALUE[:100] if size_bytes < 1000 else b"x" * (size_bytes - 100)
        batch = bytearray(build_batch([Record(0, 0, b"key", value)]))
        view, end = memoryview(batch), len(batch)
        row = (
            microseconds(lambda view=view, end=end: check_batch(view, 0, end)),  # type: ignore[misc]
            microseconds(lambda view=view, end=end: crc32c(view[21:end])),  # type: ignore[misc]
            microseconds(lambda batch=batch: patch(batch, 0, 0, 7)),  # type: ignore[misc]
        )
        stamped = bytearray(batch)
        stamp = microseconds(lambda stamped=stamped: stamp_log_append_time(stamped, 0, 5))  # type: ignore[misc]
        log = bytes(batch) * 100 if end < 100_000 else bytes(batch)
        walked = microseconds(lambda log=log: list(walk(log, 0, len(log)))) / (len(log) // end)  # type: ignore[misc]
        print(f"{end:>10} {row[0]:>8.2f} {row[1]:>10.2f} {row[2]:>8.2f} {stamp:>16.2f} {walked:>8.2f}")

    print(f"\n{'1000 records of 100 B':>22} {'stored':>8} {'decompress':>11} {'find keyless':>13}")
    for code in Compression:
        batch = bytearray(build_batch([Record(i, i, b"key-%d" % i, VALUE) for i in range(1000)], compression=code))
        header = read_header(batch)
        payload = bytes(batch[61:])
        plain_size_bytes = len(payload_of(batch, header, size_bytes_max=1 << 30))
        unpacked = microseconds(lambda c=code, p=payload: decompress(c, p, size_bytes_max=1 << 30))  # type: ignore[misc]
        keyless = microseconds(lambda b=batch: keyless_records(b, size_bytes_max=1 << 30))  # type: ignore[misc]
        print(f"{code.name:>14} {plain_size_bytes:>7} {len(payload):>8} {unpacked:>11.1f} {keyless:>13.1f}")


if __name__ == "__main__":
    main()
