-- The log: where partitions stand, which bytes hold which offsets, what producers sent.

CREATE TABLE partition_log (
    partition_id INTEGER PRIMARY KEY,
    log_start INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    leader_epoch INTEGER NOT NULL
) STRICT;

-- A partition without a row here has had one epoch, 0, from its beginning.
CREATE TABLE leader_epoch (
    partition_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    offset_first INTEGER NOT NULL,
    PRIMARY KEY (partition_id, epoch)
) STRICT, WITHOUT ROWID;

-- Objects of the store. Numbers are never reused, as names are not.
CREATE TABLE object (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    is_segment INTEGER NOT NULL,
    incarnation INTEGER,
    created_ms INTEGER NOT NULL,
    garbage_since_ms INTEGER
) STRICT;

CREATE TABLE run (
    partition_id INTEGER NOT NULL,
    offset_first INTEGER NOT NULL,
    offset_end INTEGER NOT NULL,
    object_id INTEGER NOT NULL,
    position INTEGER NOT NULL,
    length INTEGER NOT NULL,
    timestamp_max INTEGER NOT NULL,
    leader_epoch INTEGER NOT NULL,
    PRIMARY KEY (partition_id, offset_first)
) STRICT, WITHOUT ROWID;

CREATE INDEX run_by_object ON run (object_id);

CREATE TABLE producer (
    partition_id INTEGER NOT NULL,
    producer_id INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    entries BLOB NOT NULL,
    last_append_ms INTEGER NOT NULL,
    PRIMARY KEY (partition_id, producer_id)
) STRICT, WITHOUT ROWID;
