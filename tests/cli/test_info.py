"""`fleuve info`: the cluster, its brokers, what is in it."""


def test_it_shows_the_cluster_and_its_brokers(fleuve, cluster):
    (found,) = fleuve.ok("info", "--output", "json").objects
    host, port = cluster.split(":")
    assert found["brokers"] == [{"id": 1, "host": host, "port": int(port)}]
    assert (found["topics"], found["partitions"], found["groups"]) == (0, 0, 0)
    shown = fleuve.ok("info").out
    assert f"cluster {found['cluster_id']}" in shown
    assert ["1", host, port, "yes"] in [line.split() for line in shown.splitlines()]
