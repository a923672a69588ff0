"""The brokers of the cluster: incarnations and their leases, who leads and who coordinates what."""
