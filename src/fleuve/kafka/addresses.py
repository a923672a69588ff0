"""Where a client reaches the brokers: by the listener that it came through."""

from __future__ import annotations

from fleuve.engine.brokers.service import Broker, BrokerService
from fleuve.kafka.api import RequestContext
from fleuve.ports.brokers import Address


def address_of(broker: Broker, brokers: BrokerService, context: RequestContext) -> Address | None:
    """Return the address of `broker` for this client; None where it has no listener of that name."""
    if broker.node_id == brokers.node_id:
        # The connection knows best: this listener may have been given port 0.
        return Address(*context.advertised)
    return broker.listeners.get(context.listener)


def reachable(brokers: BrokerService, context: RequestContext) -> list[tuple[Broker, Address]]:
    """Return the live brokers that this client can reach, with their addresses, by node id."""
    found = []
    for broker in brokers.live():
        address = address_of(broker, brokers, context)
        if address is not None:
            found.append((broker, address))
    return found
