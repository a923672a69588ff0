"""What the clients of a simulation share: the model, the clock, the network, and what they may do at the moment."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from fleuve.simulation.client import Client
from fleuve.simulation.clock import SimulatedClock
from fleuve.simulation.group_model import GroupModel
from fleuve.simulation.history import History, Violation
from fleuve.simulation.model import Model, Topic
from fleuve.simulation.network import Network


class Play:
    """One simulation, as its clients see it."""

    def __init__(
        self, *, now: Callable[[], float], clock: SimulatedClock, network: Network, chance: Random, history: History
    ) -> None:
        self.now = now
        self.clock = clock
        self.history = history
        self.model = Model(now)
        self.groups: dict[str, GroupModel] = {}
        self.sizes: tuple[int, ...] = (0, 0, 0, 100, 1_000, 10_000)
        """By how many bytes a plain producer's values may be longer than need be."""
        self.pace = 1.0
        """How many times longer clients wait between what they do."""
        self.forever = True
        """Some topics keep their records for ever."""
        self.going = True
        """Clients go on with new things."""
        self.is_rough: Callable[[], bool] = bool
        self.is_slow: Callable[[], bool] = bool
        self.acknowledged = 0
        self.records_read = 0
        self.offsets_committed = 0
        self._network = network
        self._chance = chance
        self._producer_ids: set[int] = set()

    @property
    def rough(self) -> bool:
        """Whether something is made to fail at the moment, or was a moment ago."""
        return self.is_rough()

    @property
    def slow(self) -> bool:
        """Whether answers may take long."""
        return self.is_slow()

    def client(self, name: str) -> Client:
        """Return a new client."""
        return Client(name, self._network, Random(self._chance.getrandbits(64)), self.history)

    def some_partition(self, chance: Random, *, flushed: bool = False) -> tuple[Topic, int] | None:
        """Return a topic that is there, and one of its partitions."""
        topics = [topic for topic in self.model.living() if topic.keeping.flushed or not flushed]
        if not topics:
            return None
        topic = chance.choice(topics)
        return topic, chance.randrange(len(topic.partitions))

    def new_producer(self, producer_id: int) -> None:
        """Take a producer id that was handed out."""
        if producer_id in self._producer_ids:
            raise Violation(4, f"producer id {producer_id} was handed out twice")
        self._producer_ids.add(producer_id)

    def group(self, name: str) -> GroupModel:
        """Return what is known of a group."""
        return self.groups.setdefault(name, GroupModel(name))
