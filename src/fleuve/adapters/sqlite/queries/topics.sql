-- name: topics
SELECT id, name, replication_factor, created_ms, internal FROM topic ORDER BY name;

-- name: partitions
SELECT topic_id, id FROM partition ORDER BY topic_id, partition_index;

-- name: partitions_of
SELECT id FROM partition WHERE topic_id = :topic_id ORDER BY partition_index;

-- name: last_partition_id
-- The largest id ever given, also to partitions that are gone.
SELECT seq FROM sqlite_sequence WHERE name = 'partition';

-- name: insert_topic
-- Zero rows changed means that the name or the id is taken.
INSERT INTO topic (id, name, replication_factor, created_ms, internal)
VALUES (:id, :name, :replication_factor, :created_ms, :internal)
ON CONFLICT DO NOTHING;

-- name: insert_partition
INSERT INTO partition (id, topic_id, partition_index, created_ms)
VALUES (:id, :topic_id, :partition_index, :created_ms);

-- name: delete_partitions
DELETE FROM partition WHERE topic_id = :topic_id;

-- name: delete_topic
DELETE FROM topic WHERE id = :topic_id;
