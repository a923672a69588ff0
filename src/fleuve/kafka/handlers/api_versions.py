"""ApiVersions (18): v0-4

Behaviour:
* The table is computed from the handlers that exist.
* A version that this broker does not know is answered with a v0 body: UNSUPPORTED_VERSION and the range of
  ApiVersions itself, so that the client can try again (KIP-511). The connection calls `unsupported` for that.
* Name and version of the client's software must look like such, else INVALID_REQUEST (KIP-511).

Versions:
* v1: throttle time
* v3: flexible body, but never a flexible response header; name and version of the client's software; features
* v4: features whose lowest version is 0

Differs from Apache Kafka: no finalized features yet, since the APIs that they stand for (new group protocol,
transactions) do not exist; no quota, so throttle time is always 0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fleuve.kafka.api import Api, RequestContext
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import api_versions
from fleuve.wire.generated.api_versions import ApiVersion, ApiVersionsRequest, ApiVersionsResponse

API = Api(key=18, name="ApiVersions", version_min=0, version_max=4, codec=api_versions)

SOFTWARE_VERSION_MIN = 3
"""First version in which a client says what it is."""

_SOFTWARE = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?\Z")


def software_is_valid(request: ApiVersionsRequest, version: int) -> bool:
    """Return whether the name and version of the client's software are as KIP-511 wants them."""
    return version < SOFTWARE_VERSION_MIN or (
        _SOFTWARE.match(request.client_software_name) is not None
        and _SOFTWARE.match(request.client_software_version) is not None
    )


def unsupported() -> bytes:
    """Return the body of the answer to a version of ApiVersions that does not exist (yet)."""
    keys = [ApiVersion(api_key=API.key, min_version=API.version_min, max_version=API.version_max)]
    response = ApiVersionsResponse(error_code=ErrorCode.UNSUPPORTED_VERSION, api_keys=keys)
    return api_versions.encode_response(response, 0)


class Handler:
    """Answers with the APIs it was given."""

    def __init__(self, apis: Sequence[Api]) -> None:
        self._keys = [
            ApiVersion(api_key=api.key, min_version=api.version_min, max_version=api.version_max)
            for api in sorted(apis, key=lambda api: api.key)
        ]

    async def __call__(self, request: ApiVersionsRequest, context: RequestContext) -> ApiVersionsResponse:
        """Return the table."""
        if not software_is_valid(request, context.api_version):
            return ApiVersionsResponse(error_code=ErrorCode.INVALID_REQUEST)
        return ApiVersionsResponse(api_keys=self._keys)
