#!/opt/fleuve/bin/python -IS
"""The container's health check: asks the broker itself whether it serves. Prints why it does not; exits with 0 or 1."""

import http.client
import os
import sys

TIMEOUT_S = 3


def main() -> int:
    """Ask /readyz on the port that the environment names."""
    names = ("KAFKA_FLEUVE_HTTP_LISTEN", "KAFKA_CFG_FLEUVE_HTTP_LISTEN")
    address = next(filter(None, map(os.environ.get, names)), "127.0.0.1:9644")
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        print(f"not checked: the HTTP port is {address}")
        return 0
    host = host.strip("[]")
    connection = http.client.HTTPConnection(
        {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host),
        int(port),
        timeout=TIMEOUT_S,
    )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        print(answer.read(4096).decode("utf-8", "replace").strip())
    except OSError as error:
        print(f"no answer from {address}: {error}")
        return 1
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
