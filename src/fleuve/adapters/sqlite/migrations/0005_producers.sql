-- Producer ids are handed out in blocks, each to one run of a broker; when tells how old an id can be.
CREATE TABLE producer_id_block (
    first_id INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    allocated_ms INTEGER NOT NULL
) STRICT;
