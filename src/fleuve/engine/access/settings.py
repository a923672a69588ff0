"""Settings about who may do what: refused, until there is an authorizer to obey them."""

from __future__ import annotations

from fleuve.base.setting import Scope, Setting, Status, ValueType

_NO_AUTHORIZER = (
    "authorizers are not supported in this version: everybody who reaches the port may do everything. "
    "Remove the setting, and restrict who reaches the port."
)

SETTINGS: tuple[Setting, ...] = (
    Setting(
        name="authorizer.class.name",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default="",
        doc="Class that decides who may do what.",
        status=Status.REFUSED,
        reason=_NO_AUTHORIZER,
    ),
    # The next two belong to Apache Kafka's authorizer, which lists them nowhere.
    Setting(
        name="allow.everyone.if.no.acl.found",
        scope=Scope.BROKER,
        type=ValueType.BOOLEAN,
        default="true",
        doc="Whether a resource without access rules is open to all.",
        status=Status.REFUSED,
        reason=_NO_AUTHORIZER,
        internal=True,
    ),
    Setting(
        name="super.users",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default=None,
        doc="Principals that may do everything.",
        status=Status.REFUSED,
        reason=_NO_AUTHORIZER,
        internal=True,
    ),
)
