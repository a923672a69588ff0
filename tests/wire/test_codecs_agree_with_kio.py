"""Every codec, every version, both messages: byte for byte what kio writes, and what kio wrote is read."""

from __future__ import annotations

import importlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleuve.wire.apis import APIS
from support.kio_messages import converted, kio_bytes, kio_class, kio_messages, kio_versions

CASES = [
    pytest.param(api.module, version, side, id=f"{api.module}-v{version}-{side}")
    for api in APIS.values()
    for version in range(api.version_min, api.version_max + 1)
    for side in ("request", "response")
]


@pytest.mark.parametrize(("name", "version", "side"), CASES)
@settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_message_has_the_bytes_kio_gives_it_and_is_read_back(name, version, side, data):
    module = importlib.import_module(f"fleuve.wire.generated.{name}")
    theirs = data.draw(kio_messages(kio_class(name, version, side)))
    expected = kio_bytes(theirs)
    ours = converted(theirs, module)
    assert getattr(module, f"encode_{side}")(ours, version) == expected
    prefix = b"headers!"
    decoded = getattr(module, f"decode_{side}")(memoryview(prefix + expected), len(prefix), version)
    assert decoded == ours


@pytest.mark.parametrize("api", APIS.values(), ids=lambda api: api.module)
def test_the_table_says_what_the_codec_says(api):
    module = importlib.import_module(f"fleuve.wire.generated.{api.module}")
    assert (api.key, (api.version_min, api.version_max), api.flexible) == (
        module.KEY,
        module.VERSIONS,
        module.FLEXIBLE,
    )
    assert kio_versions(api.module) == list(range(api.version_min, api.version_max + 1))
