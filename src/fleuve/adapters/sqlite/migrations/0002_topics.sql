-- Topics and their partitions. What else is kept of a partition is joined by partition.id and swept once that row is
-- gone, so an id is never given twice (AUTOINCREMENT).
CREATE TABLE topic (
    -- A UUID, as 16 bytes.
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL UNIQUE,
    replication_factor INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    internal INTEGER NOT NULL CHECK (internal IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE TABLE partition (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic_id BLOB NOT NULL REFERENCES topic (id),
    -- Kafka's partition number.
    partition_index INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    UNIQUE (topic_id, partition_index)
) STRICT;
