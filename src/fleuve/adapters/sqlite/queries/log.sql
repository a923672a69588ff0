-- name: move_incarnation
UPDATE incarnation SET last_flush = :number WHERE id = :incarnation AND last_flush = :number - 1 AND fenced = 0;

-- name: incarnation
SELECT last_flush, fenced FROM incarnation WHERE id = :incarnation;

-- name: object_id
SELECT id FROM object WHERE name = ?;

-- name: add_object
INSERT INTO object (name, is_segment, incarnation, created_ms) VALUES (?, ?, ?, ?);

-- name: state
SELECT COALESCE(l.log_start, 0), COALESCE(l.next_offset, 0), COALESCE(l.leader_epoch, 0), p.created_ms
  FROM partition AS p LEFT JOIN partition_log AS l ON l.partition_id = p.id
 WHERE p.id = ?;

-- name: save_state
INSERT INTO partition_log (partition_id, log_start, next_offset, leader_epoch) VALUES (?, ?, ?, ?)
ON CONFLICT (partition_id) DO UPDATE
   SET log_start = excluded.log_start, next_offset = excluded.next_offset, leader_epoch = excluded.leader_epoch;

-- name: producer
SELECT epoch, entries, last_append_ms FROM producer WHERE partition_id = ? AND producer_id = ?;

-- name: save_producer
INSERT INTO producer (partition_id, producer_id, epoch, entries, last_append_ms) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (partition_id, producer_id) DO UPDATE
   SET epoch = excluded.epoch, entries = excluded.entries, last_append_ms = excluded.last_append_ms;

-- name: add_run
INSERT INTO run (partition_id, offset_first, offset_end, object_id, position, length, timestamp_max, leader_epoch)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: runs
-- The subquery finds the run that begins at or before the offset: a look-up, where offset_end > ? would be a scan.
SELECT r.partition_id, r.offset_first, r.offset_end, r.position, r.length, r.timestamp_max, r.leader_epoch,
       o.name, o.is_segment
  FROM run AS r JOIN object AS o ON o.id = r.object_id
 WHERE r.partition_id = :partition_id
   AND r.offset_first >= COALESCE(
       (SELECT MAX(offset_first) FROM run WHERE partition_id = :partition_id AND offset_first <= :offset), 0)
   AND r.offset_end > :offset
 ORDER BY r.offset_first LIMIT :limit;

-- name: runs_since
SELECT r.partition_id, r.offset_first, r.offset_end, r.position, r.length, r.timestamp_max, r.leader_epoch,
       o.name, o.is_segment
  FROM run AS r JOIN object AS o ON o.id = r.object_id
 WHERE r.partition_id = :partition_id AND r.timestamp_max >= :timestamp
 ORDER BY r.offset_first LIMIT :limit;

-- name: run_latest
SELECT r.partition_id, r.offset_first, r.offset_end, r.position, r.length, r.timestamp_max, r.leader_epoch,
       o.name, o.is_segment
  FROM run AS r JOIN object AS o ON o.id = r.object_id
 WHERE r.partition_id = :partition_id
 ORDER BY r.timestamp_max DESC, r.offset_first LIMIT 1;

-- name: epochs
SELECT epoch, offset_first FROM leader_epoch WHERE partition_id = ? ORDER BY epoch;

-- name: advance_log_start
UPDATE partition_log SET log_start = :offset WHERE partition_id = :partition_id AND log_start < :offset;

-- name: drop_runs_below
DELETE FROM run WHERE partition_id = :partition_id AND offset_end <= :offset;

-- name: size
SELECT COALESCE(SUM(length), 0) FROM run WHERE partition_id = ?;

-- name: unfinished_incarnations
SELECT id, last_flush, whole FROM incarnation WHERE fenced = 0 ORDER BY id;

-- name: note_missing_flush
UPDATE incarnation SET whole = 0 WHERE id = ?;

-- name: fence_incarnation
UPDATE incarnation SET fenced = 1 WHERE id = ?;

-- name: objects_of_incarnation
SELECT name FROM object WHERE incarnation = ? ORDER BY id;

-- name: runs_beyond
SELECT r.partition_id, r.offset_first, r.offset_end, r.position, r.length, r.timestamp_max, r.leader_epoch
  FROM run AS r JOIN object AS o ON o.id = r.object_id
 WHERE o.name = ? AND r.position + r.length > ?
 ORDER BY r.partition_id, r.offset_first;

-- name: drop_run
DELETE FROM run WHERE partition_id = ? AND offset_first = ? AND offset_end = ?;

-- name: add_epoch
INSERT INTO leader_epoch (partition_id, epoch, offset_first) VALUES (?, ?, ?);

-- name: raise_epoch
UPDATE partition_log SET leader_epoch = leader_epoch + 1 WHERE partition_id = ? RETURNING leader_epoch;
