-- Config overrides: one row for each resource that has any. resource_type is Kafka's code (2 topic, 4 broker,
-- 32 group); resource_key is a topic's id as text, a node id or '' for all brokers, or a group's id.
CREATE TABLE config (
    resource_type INTEGER NOT NULL,
    resource_key TEXT NOT NULL,
    -- A JSON object: from the setting's name to its text.
    overrides TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (resource_type, resource_key)
) STRICT, WITHOUT ROWID;
