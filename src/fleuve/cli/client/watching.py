"""What a client says on standard error while it waits for brokers that have gone: once, and once when they are back."""

from __future__ import annotations

import time

from confluent_kafka import KafkaError

from fleuve.cli.output.messages import tell

_STALE_S = 0.3
_REFUSED = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED})


class Watch:
    """Takes a client's errors (`error_cb`). A client tries again by itself; people are told why nothing moves."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.lost = False
        self._lost_at_s = 0.0
        self.fatal: KafkaError | None = None
        self.refused: KafkaError | None = None
        """What no new try can mend: a topic is gone, or rights were taken away."""

    def __call__(self, error: KafkaError) -> None:
        """Note an error of the client, and say it if no broker can be reached any more."""
        if error.fatal():
            self.fatal = self.fatal or error
        if error.code() in _REFUSED:
            self.refused = self.refused or error
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self.lost:
            self.lost = True
            self._lost_at_s = time.perf_counter()
            tell(f"connection to {self._bootstrap} lost; trying again until it is back")

    def back(self) -> None:
        """Say that a broker has answered, if it was said that none does.

        What comes right behind the loss may have been on its way before it.
        """
        if self.lost and time.perf_counter() - self._lost_at_s >= _STALE_S:
            self.lost = False
            tell(f"connected to {self._bootstrap} again")
