"""Java classes that decide something: refused, since nobody would decide it."""

from __future__ import annotations

from fleuve.app.settings.rows import CLASS, CLUSTER_WIDE, LIST, refused
from fleuve.base.setting import Setting

_NO_CLASSES = "Fleuve cannot run Java classes; remove the setting."
_NO_PROVIDERS = "Fleuve cannot run Java classes; write values out, or set them from the environment."

SETTINGS: tuple[Setting, ...] = (
    refused(
        "alter.config.policy.class.name", CLASS, None, "Class that decides whether configs may change.", _NO_CLASSES
    ),
    refused("client.quota.callback.class", CLASS, None, "Class that decides which quota a client has.", _NO_CLASSES),
    refused(
        "config.providers",
        LIST,
        "",
        "Names of classes that resolve placeholders in values.",
        _NO_PROVIDERS,
        mode=CLUSTER_WIDE,
    ),
    refused(
        "create.topic.policy.class.name", CLASS, None, "Class that decides whether a topic may be created.", _NO_CLASSES
    ),
)
