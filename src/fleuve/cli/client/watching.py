"""What a client says on standard error while it waits for brokers that have gone: once, and once when they are back."""

from __future__ import annotations

from confluent_kafka import KafkaError

from fleuve.cli.output.messages import tell


class Watch:
    """Takes a client's errors (`error_cb`). A client tries again by itself; people are told why nothing moves."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self.lost = False
        self.fatal: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        """Note an error of the client, and say it if no broker can be reached any more."""
        if error.fatal():
            self.fatal = self.fatal or error
        if error.code() == KafkaError._ALL_BROKERS_DOWN and not self.lost:
            self.lost = True
            tell(f"connection to {self._bootstrap} lost; trying again until it is back")

    def back(self) -> None:
        """Say that a broker has answered, if it was said that none does."""
        if self.lost:
            self.lost = False
            tell(f"connected to {self._bootstrap} again")
