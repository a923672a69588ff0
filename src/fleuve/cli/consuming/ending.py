"""How a consumer ends: it commits what was shown, leaves its group, and does not wait for ever for a broker."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from fleuve.cli.client.errors import CommandFailed, failure

_END_S_MAX = 3.0


def end(consumer: Consumer, positions: Sequence[TopicPartition], *, group: str | None) -> None:
    """Commit the positions, if there are any, and close the consumer.

    The library's calls have no time limit of their own: they run beside us, and are left behind if a broker that has
    gone does not come back in time. Raises CommandFailed if what was shown is not committed.
    """
    what = f"group {group}: what was shown could not be committed"
    failed: list[CommandFailed] = []

    def commit_and_close() -> None:
        try:
            if positions:
                consumer.commit(offsets=list(positions), asynchronous=False)
        except KafkaException as error:
            failed.append(failure(error, what=what))
        finally:
            consumer.close()

    ending = threading.Thread(target=commit_and_close, name="consumer-end", daemon=True)
    ending.start()
    ending.join(_END_S_MAX)
    if ending.is_alive() and positions:
        failed.append(CommandFailed(f"{what}: no broker answers; the group will be shown it again"))
    if failed:
        raise failed[0]
