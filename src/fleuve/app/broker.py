"""A broker's life: open, recover, register, serve, drain, close. Read this file first.

This is the composition root: the one place where rooms, edges and the engine's adapters meet.
"""

from __future__ import annotations

import asyncio

from fleuve.adapters.journal import stats as journal_stats
from fleuve.app.engines import Engine
from fleuve.app.handlers import Rooms, table_of
from fleuve.app.options import Address, ListenerSpec
from fleuve.app.policies import group_policy, limits, log_policy, maintenance_policy, topic_rules
from fleuve.app.registry import Registry
from fleuve.app.sources import Settings
from fleuve.app.surroundings import Listening, Surroundings
from fleuve.app.telemetry import Telemetry
from fleuve.base.errors import FleuveError
from fleuve.base.ids import Incarnation, NodeId, PartitionIndex, TopicId
from fleuve.base.log import Logger
from fleuve.engine.access.service import AllowAll
from fleuve.engine.brokers import stats as broker_stats
from fleuve.engine.brokers.service import BrokerService
from fleuve.engine.groups import stats as group_stats
from fleuve.engine.groups.service import GroupService
from fleuve.engine.log import stats as log_stats
from fleuve.engine.log.recovery import Recovery
from fleuve.engine.log.service import LogService
from fleuve.engine.maintenance import stats as maintenance_stats
from fleuve.engine.maintenance.service import MaintenanceService
from fleuve.engine.producers.service import ProducerService
from fleuve.engine.topics import stats as topic_stats
from fleuve.engine.topics.config_service import ConfigService
from fleuve.engine.topics.service import TopicDeleted, TopicEvent, TopicService
from fleuve.kafka import stats as kafka_stats
from fleuve.kafka.connections import Connections
from fleuve.kafka.limits import Limits
from fleuve.kafka.listener import ListenerAddress
from fleuve.kafka.memory import Budget
from fleuve.kafka.sessions import FetchSessions
from fleuve.kafka.stats import KafkaStats
from fleuve.kafka.table import Table
from fleuve.ports import brokers as broker_port
from fleuve.web.health import Health
from fleuve.web.service import HttpServer

DRAIN_S = 5.0
"""How long a stopping broker waits for requests that are under way; what follows takes less than the rest of 10 s."""


class Broker:
    """One run of a broker.

    `start` returns when clients are served; `failed` is done, with the reason, if the broker cannot go on; `stop`
    answers what is under way, flushes and closes. Both are for the event loop that `start` was called on.
    """

    def __init__(
        self,
        table: Registry,
        settings: Settings,
        *,
        around: Surroundings,
        listeners: tuple[ListenerSpec, ...],
        http: Address | None,
        logger: Logger,
    ) -> None:
        self._registry = table
        self._settings = settings
        self._listener_specs = listeners
        self._http_address = http
        self._logger = logger
        self._around = around
        self._clock = around.clock
        self._chance = around.chance
        self._engine = around.engine
        self._offload = around.offload
        self._listeners: list[Listening] = []
        self._http: HttpServer | None = None
        self._telemetry = Telemetry()
        self._life: asyncio.Task[None] | None = None
        self._running: asyncio.Future[None]
        self._ending = asyncio.Event()
        self.failed: asyncio.Future[BaseException]
        self.rooms: Rooms
        self.routes: Table
        """What is served; `fleuve.testing` puts faults in front of it."""
        self.addresses: tuple[Address, ...] = ()
        """Where clients connect to, listener by listener."""
        self.http_port: int | None = None

    async def start(self) -> None:
        """Open, recover and serve. Raises FleuveError with one line that says what to do; then nothing is left open."""
        loop = asyncio.get_running_loop()
        self.failed = loop.create_future()
        try:
            # Ports first: a port that is taken is known before anything is written.
            self._bind()
            if self._http_address is not None:
                self._open_http(self._http_address)
            engine = self._engine.open(loop)
            incarnation = await self._register(engine)
            await self._build(engine, incarnation)
        except BaseException:
            await self._close()
            raise

    async def stop(self) -> None:
        """Answer what is under way, flush, and close everything."""
        for listener in self._listeners:
            listener.close()
        if self._life is None:
            return
        await self._connections.drain(DRAIN_S)
        self._ending.set()
        await self._life
        try:
            # Everything of this run is in the catalog: the next one has nothing to replay.
            await self.rooms.brokers.stop()
        except FleuveError as error:
            self._logger.warning("the run of the broker could not be ended in the catalog", error=str(error))
        await self._close()

    # ------------------------------------------------------------ start

    def _bind(self) -> None:
        settings = self._settings
        for spec in self._listener_specs:
            listener = self._around.listening(
                ListenerAddress(
                    name=spec.name,
                    host=spec.host,
                    port=spec.port,
                    advertised_host=spec.advertised_host,
                    advertised_port=spec.advertised_port,
                    backlog=settings.integer("socket.listen.backlog.size"),
                    receive_buffer_bytes=settings.integer("socket.receive.buffer.bytes"),
                    send_buffer_bytes=settings.integer("socket.send.buffer.bytes"),
                )
            )
            self._listeners.append(listener)
            listener.bind()

    def _open_http(self, address: Address) -> None:
        self._http = HttpServer(
            address.host,
            address.port,
            metrics=self._telemetry.sources,
            health=Health(live={"broker": self._check_alive}, ready={"broker": self._check_ready}),
            log=self._logger,
        )
        self.http_port = self._http.open()

    async def _register(self, engine: Engine) -> Incarnation:
        """Recover what earlier runs left, then begin this one."""
        recovered = await Recovery(
            catalog=engine.log,
            recovery=engine.recovery,
            extents=engine.extents,
            objects=engine.objects,
            logger=self._logger,
            unique=self._unique,
        ).run()
        if recovered.flushes_replayed:
            self._logger.info("recovered", flushes=recovered.flushes_replayed, filled=recovered.partitions_filled)
        self._brokers = BrokerService(engine.brokers, random=self._chance, logger=self._logger)
        advertised = {listener.address.name: broker_port.Address(*listener.advertised) for listener in self._listeners}
        self.addresses = tuple(Address(*address) for address in advertised.values())
        incarnation = await self._brokers.start(
            node_id=NodeId(1 if self._settings.node_id is None else self._settings.node_id),
            listeners=advertised,
            rack=self._settings.string("broker.rack") or None,
        )
        await engine.extents.begin(incarnation)
        return incarnation

    def _in_force(self, engine: Engine) -> dict[str, str]:
        """Return the settings that DescribeConfigs shows as given at start."""
        bound = [(one.address.name, Address(one.address.host, one.port)) for one in self._listeners]
        told = [(one.address.name, Address(*one.advertised)) for one in self._listeners]
        return self._settings.in_force(
            node_id=self._brokers.node_id,
            listeners=[f"{name}://{address}" for name, address in bound],
            advertised=[f"{name}://{address}" for name, address in told],
            data_dir=engine.directory,
        )

    def _unique(self) -> str:
        """Return a text that no run of any broker has returned before."""
        return f"{self._chance.getrandbits(64):016x}"

    async def _build(self, engine: Engine, incarnation: Incarnation) -> None:
        settings, clock, logger = self._settings, self._clock, self._logger
        bounds = limits(settings, connections_max=self._around.connections_max)
        counted = KafkaStats()
        configs = ConfigService(engine.configs, self._registry, self._in_force(engine), node_id=self._brokers.node_id)
        topics = TopicService(
            engine.topics,
            configs=configs,
            rules=topic_rules(settings),
            clock=clock,
            random=self._chance,
            nodes=self._brokers.nodes,
        )
        configs.subscribe(topics.configs_changed)
        await configs.load()
        await topics.load()
        log = LogService(
            extents=engine.extents,
            objects=engine.objects,
            catalog=engine.log,
            incarnation=incarnation,
            clock=clock,
            offload=self._offload,
            policy=log_policy(settings),
            logger=logger,
            release_pinned=self._shed,
            on_fenced=self._fail,
        )

        def end_offset(topic_id: TopicId, partition: PartitionIndex) -> int | None:
            topic = topics.by_id(topic_id)
            return None if topic is None else log.high_watermark(topic.partition_ids[partition])

        groups = GroupService(
            store=engine.groups,
            policy=group_policy(settings),
            clock=clock,
            chance=self._chance,
            topic_name=lambda topic_id: topic.name if (topic := topics.by_id(topic_id)) else None,
            end_offset=end_offset,
        )
        keeping = maintenance_policy(settings)
        maintenance = MaintenanceService(
            catalog=engine.maintenance,
            log_catalog=engine.log,
            store=engine.objects,
            log=log,
            topics=topics,
            clock=clock,
            policy=lambda: keeping,
            logger=logger,
            unique=self._unique,
        )
        topics.subscribe(lambda event: _forget_partitions(log, event))
        self.rooms = Rooms(
            log=log,
            topics=topics,
            configs=configs,
            groups=groups,
            producers=ProducerService(
                engine.producers, clock, expiration_ms=settings.integer("producer.id.expiration.ms")
            ),
            brokers=self._brokers,
        )
        self._maintenance = maintenance
        self._measure(counted, engine)
        fetch_memory = Budget(bounds.fetch_memory)
        self.routes = table_of(
            self.rooms,
            stats=counted,
            sessions=FetchSessions(
                self._chance, slots=settings.integer("max.incremental.fetch.session.cache.slots"), stats=counted
            ),
            fetch_memory=fetch_memory,
            fetch_bytes_max=settings.integer("fetch.max.bytes"),
            directory=engine.directory,
            volume_size=engine.volume_size,
        )
        self._running = asyncio.get_running_loop().create_future()
        self._life = asyncio.get_running_loop().create_task(self._live(self.routes, bounds, fetch_memory))
        await asyncio.wait([self._running, self._life], return_when=asyncio.FIRST_COMPLETED)
        if self._life.done():
            await self._life
            raise self.failed.result()

    def _measure(self, kafka: KafkaStats, engine: Engine) -> None:
        rooms, add = self.rooms, self._telemetry.add

        async def refresh_log() -> None:
            rooms.log.refresh_stats()

        add(kafka_stats.METRICS, kafka)
        add(log_stats.METRICS, rooms.log.stats, refresh_log)
        add(journal_stats.METRICS, engine.journal_stats)
        add(group_stats.METRICS, rooms.groups.stats, rooms.groups.refresh_stats)
        add(topic_stats.METRICS, rooms.topics.stats)
        add(broker_stats.METRICS, rooms.brokers.stats)
        add(maintenance_stats.METRICS, self._maintenance.stats)

    # ------------------------------------------------------------ run and end

    async def _live(self, routes: Table, bounds: Limits, fetch_memory: Budget) -> None:
        """Own every task of the broker, until `stop` or until one of them cannot go on."""
        rooms = self.rooms
        try:
            async with asyncio.TaskGroup() as tasks:
                log = tasks.create_task(rooms.log.run())
                chores = [
                    tasks.create_task(work)
                    for work in (
                        rooms.groups.run(),
                        rooms.topics.run(),
                        rooms.brokers.run(),
                        self._maintenance.run(),
                        self._telemetry.run(),
                    )
                ]
                http = None if self._http is None else tasks.create_task(self._http.run())
                self._connections = Connections(
                    routes,
                    limits=bounds,
                    authorizer=AllowAll(),
                    logger=self._logger,
                    tasks=tasks,
                    fetch_memory=fetch_memory,
                )
                self._connections.on_drain += [rooms.log.release_fetches, rooms.groups.close]
                for listener in self._listeners:
                    await listener.start(self._connections)
                self._running.set_result(None)
                await self._ending.wait()
                if self._http is not None and http is not None:
                    self._http.stop()
                    await asyncio.wait([http], timeout=1.0)
                    http.cancel()
                for chore in chores:
                    chore.cancel()
                await rooms.log.close()
                await log
        except* FleuveError as errors:
            self._fail(errors.exceptions[0])
        except* Exception as errors:
            self._logger.error("the broker cannot go on: this is a bug", exc_info=errors)
            self._fail(errors.exceptions[0])

    def _shed(self) -> None:
        self._connections.shed()

    def _fail(self, error: BaseException) -> None:
        if not self.failed.done():
            self.failed.set_result(error)

    async def _close(self) -> None:
        for listener in self._listeners:
            listener.close()
        if self._http is not None:
            self._http.stop()
        await self._offload.close()
        await self._engine.close()

    # ------------------------------------------------------------ seen from outside

    def _check_alive(self) -> str | None:
        if self.failed.done():
            return f"the broker cannot go on: {self.failed.result()}"
        return None

    def _check_ready(self) -> str | None:
        if self._life is None or not self._running.done():
            return "starting"
        if self._ending.is_set() or self._connections.draining:
            return "stopping"
        return self.rooms.log.unavailable


def _forget_partitions(log: LogService, event: TopicEvent) -> None:
    match event:
        case TopicDeleted():
            log.drop_partitions(event.topic.partition_ids)
        case _:
            pass
