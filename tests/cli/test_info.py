"""`fleuve info`: the cluster, its brokers, what is in it."""


def test_it_shows_the_cluster_and_its_brokers(fleuve, cluster):
    fleuve.ok("topic", "create", "seen", "-p", 3)
    fleuve.ok("group", "reset", "readers", "--topic", "seen", "--to", "latest")
    (found,) = fleuve.ok("info", "--output", "json").objects
    host, port = cluster.split(":")
    leads = found["partitions"]
    assert found["brokers"] == [
        {"id": 1, "host": host, "port": int(port), "rack": None, "controller": True, "leads": leads}
    ]
    assert found["controller_id"] == 1
    # Brokers make topics of their own once there is a group.
    assert found["topics"] - found["internal_topics"] == 1
    assert found["partitions"] >= 3
    assert (found["groups"], found["group_states"]) == (1, {"empty": 1})
    assert (found["partitions_without_leader"], found["partitions_out_of_sync"]) == ([], [])


def test_it_says_it_in_a_line_and_a_table(fleuve, cluster):
    host, port = cluster.split(":")
    (found,) = fleuve.ok("info", "--output", "json").objects
    shown = fleuve.ok("info")
    assert shown.out.startswith(f"cluster {found['cluster_id']}: ")
    assert ["BROKER", "HOST", "PORT", "CONTROLLER", "LEADS"] in shown.rows
    assert ["1", host, port, "yes", str(found["partitions"])] in shown.rows
