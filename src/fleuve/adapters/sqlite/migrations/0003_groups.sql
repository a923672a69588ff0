-- Consumer groups and their committed offsets.

-- One sequence for all groups, so that a group's row can go: no epoch is ever given twice.
CREATE TABLE group_claim (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    epoch_last INTEGER NOT NULL
) STRICT;
INSERT INTO group_claim (id, epoch_last) VALUES (1, 0);

CREATE TABLE consumer_group (
    group_id TEXT NOT NULL PRIMARY KEY,
    epoch    INTEGER NOT NULL,  -- of the last claim
    state    BLOB  -- see docs/formats/group-state.md
) STRICT, WITHOUT ROWID;

CREATE TABLE group_offset (
    group_id        TEXT NOT NULL,
    topic_id        BLOB NOT NULL,
    partition_index INTEGER NOT NULL,
    "offset"        INTEGER NOT NULL,
    leader_epoch    INTEGER NOT NULL,
    metadata        TEXT NOT NULL,
    committed_ms    INTEGER NOT NULL,
    expires_ms      INTEGER,
    PRIMARY KEY (group_id, topic_id, partition_index)
) STRICT, WITHOUT ROWID;
