-- The cluster's identity, and the runs of its brokers.
CREATE TABLE cluster (
    -- One row.
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 0),
    id TEXT NOT NULL
) STRICT;

CREATE TABLE incarnation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    node_id INTEGER NOT NULL,
    -- A JSON object: from the listener's name to [host, port], as advertised.
    listeners TEXT NOT NULL,
    rack TEXT,
    started_ms INTEGER NOT NULL,
    lease_until_ms INTEGER NOT NULL,
    -- The number of the last flush that was committed; the log's commit moves it, by one at a time.
    last_flush INTEGER NOT NULL DEFAULT 0,
    fenced INTEGER NOT NULL DEFAULT 0 CHECK (fenced IN (0, 1))
) STRICT;

CREATE INDEX incarnation_unfenced ON incarnation (node_id) WHERE fenced = 0;
