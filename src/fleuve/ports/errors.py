"""What adapters raise, whatever technology they are made of.

Everything else that a driver raises is wrapped into one of these by the adapter, with the driver's words in the
message and the original as `__cause__`.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError, Verdict


class CatalogUnavailable(FleuveError, verdict=Verdict.RETRY):
    """The catalog did not take the operation, and nothing of it happened: disk full, connection refused."""


class CommitOutcomeUnknown(CatalogUnavailable, verdict=Verdict.RETRY):
    """The commit was sent and its answer lost: it may or may not have happened. Only a write can tell."""


class StoreUnavailable(FleuveError, verdict=Verdict.RETRY):
    """The store could not write or read: disk full, a failed flush, a missing permission, a time-out."""


class ObjectMissing(FleuveError, verdict=Verdict.REFRESH):
    """The object is not there (any more): the index that named it is stale. Look up again."""


class VersionConflict(FleuveError, verdict=Verdict.REFRESH):
    """Somebody else changed the row since it was read. Look again."""


class CorruptState(FleuveError, verdict=Verdict.FATAL):
    """Stored bytes are not what was written. A person must look; the message says at what."""


class Fenced(FleuveError, verdict=Verdict.FATAL):
    """This run of the broker was fenced: another one has taken its place, and nothing it does counts any more."""
