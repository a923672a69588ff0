-- name: objects
SELECT name, is_segment, created_ms FROM object WHERE is_segment = 0 OR :segments ORDER BY id;

-- name: usage
SELECT COUNT(*), COALESCE(SUM(r.length), 0)
  FROM object AS o JOIN run AS r ON r.object_id = o.id
 WHERE o.name = ?;

-- name: object_id
SELECT id FROM object WHERE name = ?;

-- name: runs_of_objects
-- By the primary key, so that the next page goes on where this one ended: the plus signs keep the planner from sorting
-- all runs of the objects for each page.
SELECT r.partition_id, r.offset_first, r.offset_end, r.position, r.length, r.timestamp_max, r.leader_epoch,
       o.name, o.is_segment
  FROM run AS r CROSS JOIN object AS o ON o.id = r.object_id
 WHERE (r.partition_id, r.offset_first) > (:partition_id, :offset_first)
   AND +r.object_id IN (SELECT value FROM json_each(:object_ids))
 ORDER BY r.partition_id, r.offset_first LIMIT :limit;

-- name: log_start
SELECT COALESCE(l.log_start, 0)
  FROM partition AS p LEFT JOIN partition_log AS l ON l.partition_id = p.id
 WHERE p.id = ?;

-- name: runs_between
SELECT r.partition_id, r.offset_first, r.offset_end, r.position, r.length, r.timestamp_max, r.leader_epoch,
       o.name, o.is_segment
  FROM run AS r CROSS JOIN object AS o ON o.id = r.object_id
 WHERE r.partition_id = ? AND r.offset_first BETWEEN ? AND ?
 ORDER BY r.offset_first;

-- name: drop_runs_between
DELETE FROM run WHERE partition_id = ? AND offset_first BETWEEN ? AND ?;

-- name: add_object
INSERT INTO object (name, is_segment, incarnation, created_ms) VALUES (?, ?, NULL, ?);

-- name: add_run
INSERT INTO run (partition_id, offset_first, offset_end, object_id, position, length, timestamp_max, leader_epoch)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: partitions_with_runs
-- One look-up for each partition: runs are not counted.
WITH RECURSIVE found (partition_id) AS (
    SELECT MIN(partition_id) FROM run WHERE partition_id > :after
    UNION ALL
    SELECT (SELECT MIN(run.partition_id) FROM run WHERE run.partition_id > found.partition_id)
      FROM found WHERE found.partition_id IS NOT NULL
     LIMIT :limit
)
SELECT partition_id FROM found WHERE partition_id IS NOT NULL;

-- name: deleted_partitions
SELECT partition_id FROM partition_log AS l
 WHERE NOT EXISTS (SELECT 1 FROM partition AS p WHERE p.id = l.partition_id) LIMIT ?;

-- name: sweep_runs
DELETE FROM run WHERE partition_id = :partition_id AND offset_first IN
    (SELECT offset_first FROM run WHERE partition_id = :partition_id LIMIT :limit);

-- name: sweep_producers
DELETE FROM producer WHERE partition_id = :partition_id AND producer_id IN
    (SELECT producer_id FROM producer WHERE partition_id = :partition_id LIMIT :limit);

-- name: sweep_epochs
DELETE FROM leader_epoch WHERE partition_id = ?;

-- name: sweep_log
DELETE FROM partition_log WHERE partition_id = ?;

-- name: unreferenced
SELECT name, is_segment, created_ms FROM object AS o
 WHERE garbage_since_ms IS NULL AND NOT EXISTS (SELECT 1 FROM run AS r WHERE r.object_id = o.id)
 ORDER BY id;

-- name: mark_garbage
UPDATE object SET garbage_since_ms = :now_ms
 WHERE name = :name AND garbage_since_ms IS NULL
   AND NOT EXISTS (SELECT 1 FROM run AS r WHERE r.object_id = object.id);

-- name: garbage
SELECT name FROM object AS o
 WHERE garbage_since_ms <= ? AND NOT EXISTS (SELECT 1 FROM run AS r WHERE r.object_id = o.id)
 ORDER BY id;

-- name: forget_object
DELETE FROM object WHERE name = ? AND NOT EXISTS (SELECT 1 FROM run AS r WHERE r.object_id = object.id);

-- name: producers_after
SELECT partition_id, producer_id, last_append_ms FROM producer
 WHERE (partition_id, producer_id) > (?, ?) ORDER BY partition_id, producer_id LIMIT ?;

-- name: expire_producer
DELETE FROM producer WHERE partition_id = ? AND producer_id = ? AND last_append_ms < ?;
