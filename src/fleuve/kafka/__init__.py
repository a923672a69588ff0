"""The edge that speaks Kafka's protocol: listeners, connections, fetch sessions, one handler file per API."""
