"""A second oracle: kafka-python, which works from Kafka's own message definitions, reads and rewrites our bytes.

Its definitions also tell the defaults of fields, and their names.
"""

from __future__ import annotations

import importlib
import re
import uuid
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleuve.wire.apis import APIS
from support.kio_messages import converted, kio_class, kio_messages

with warnings.catch_warnings():
    # It reads its definitions in a way that is deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.protocol.admin
    import kafka.protocol.consumer
    import kafka.protocol.metadata
    import kafka.protocol.producer

PACKAGES = (kafka.protocol.admin, kafka.protocol.consumer, kafka.protocol.metadata, kafka.protocol.producer)
CASES = [(api, side) for api in APIS.values() for side in ("request", "response")]
BY_SIDE = pytest.mark.parametrize(("api", "side"), CASES, ids=[f"{api.module}-{side}" for api, side in CASES])


def their_class(api, side):
    name = api.name + side.capitalize()
    return next(getattr(package, name) for package in PACKAGES if hasattr(package, name))


@BY_SIDE
@settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_kafka_python_reads_our_bytes_and_writes_the_same(api, side, data):
    module = importlib.import_module(f"fleuve.wire.generated.{api.module}")
    theirs = their_class(api, side)
    version = data.draw(st.integers(api.version_min, min(api.version_max, theirs.max_version)))
    message = converted(data.draw(kio_messages(kio_class(api.module, version, side))), module)
    if api.name == "ApiVersions" and side == "response":
        message.error_code = 0  # kafka-python reads the answer to an unknown version, which has an error, as v0.
    raw = getattr(module, f"encode_{side}")(message, version)
    read = theirs.decode(raw, version=version)
    read._header = None
    read._version = version
    assert bytes(read.encode(version=version)) == raw


THEIR_OWN = {
    ("ListOffsetsRequest", "replica_id"): None,  # They added a default.
    ("MetadataResponseTopic", "authorized_operations"): "topic_authorized_operations",
    ("MetadataResponse", "authorized_operations"): "cluster_authorized_operations",
    ("DescribeClusterResponse", "authorized_operations"): "cluster_authorized_operations",
}
"""Where kafka-python changed Kafka's definitions."""


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def fields_of(definition, name):
    """Yield (class name, field definition) of a message and all its structures."""
    for field in definition.get("fields", ()):
        yield name, field
        if field.get("fields"):
            yield from fields_of(field, field["type"].removeprefix("[]"))


def schema_default(field):
    type_, text = field["type"], field.get("default")
    if text == "null" or (type_.startswith("[]") and "nullableVersions" in field):
        return None  # A nullable array is null by default: see `fleuve.wire.message`.
    if type_.startswith("[]"):
        return []
    if type_ in ("string", "bytes"):
        return (text or "") if type_ == "string" else b""
    if type_ == "bool":
        return text in ("true", True)
    if type_ == "uuid":
        return uuid.UUID(int=0)
    if type_ == "records" or type_[0].isupper():
        return None
    return int(str(text or 0), 0)


@BY_SIDE
def test_names_and_defaults_are_the_schemas(api, side):
    module = importlib.import_module(f"fleuve.wire.generated.{api.module}")
    definition = their_class(api, side).json
    for class_name, field in fields_of(definition, definition["name"]):
        name = THEIR_OWN.get((class_name, snake(field["name"])), snake(field["name"]))
        last = re.fullmatch(r"(?:\d+-)?(\d+)", field["versions"])
        if name is None or (last and int(last[1]) < api.version_min):
            continue  # The latter: only in versions that no broker speaks any more.
        cls = getattr(module, class_name)
        assert getattr(cls(), name) == schema_default(field), (class_name, field["name"])
