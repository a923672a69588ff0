-- name: next_epoch
UPDATE group_claim SET epoch_last = epoch_last + 1 WHERE id = 1 RETURNING epoch_last;

-- name: claim
INSERT INTO consumer_group (group_id, epoch, state) VALUES (:group_id, :epoch, NULL)
ON CONFLICT (group_id) DO UPDATE SET epoch = excluded.epoch;

-- name: claimed
SELECT g.group_id, g.state, EXISTS (SELECT 1 FROM group_offset AS o WHERE o.group_id = g.group_id) AS has_offsets
FROM consumer_group AS g
WHERE g.group_id = :group_id;

-- name: load
SELECT g.group_id, g.state, EXISTS (SELECT 1 FROM group_offset AS o WHERE o.group_id = g.group_id) AS has_offsets
FROM consumer_group AS g
WHERE g.group_id = :group_id AND (g.state IS NOT NULL OR has_offsets);

-- name: load_all
SELECT g.group_id, g.state, EXISTS (SELECT 1 FROM group_offset AS o WHERE o.group_id = g.group_id) AS has_offsets
FROM consumer_group AS g
WHERE g.state IS NOT NULL OR has_offsets
ORDER BY g.group_id;

-- name: check_claim
SELECT 1 FROM consumer_group WHERE group_id = :group_id AND epoch = :epoch;

-- name: save
UPDATE consumer_group SET state = :state WHERE group_id = :group_id;

-- name: delete
DELETE FROM consumer_group WHERE group_id = :group_id;

-- name: delete_all_offsets
DELETE FROM group_offset WHERE group_id = :group_id;

-- name: commit_offset
INSERT INTO group_offset
    (group_id, topic_id, partition_index, "offset", leader_epoch, metadata, committed_ms, expires_ms)
VALUES (:group_id, :topic_id, :partition_index, :offset, :leader_epoch, :metadata, :committed_ms, :expires_ms)
ON CONFLICT (group_id, topic_id, partition_index) DO UPDATE SET
    "offset" = excluded."offset", leader_epoch = excluded.leader_epoch, metadata = excluded.metadata,
    committed_ms = excluded.committed_ms, expires_ms = excluded.expires_ms;

-- name: delete_offset
DELETE FROM group_offset
WHERE group_id = :group_id AND topic_id = :topic_id AND partition_index = :partition_index;

-- name: offsets
SELECT topic_id, partition_index, "offset", leader_epoch, metadata, committed_ms, expires_ms
FROM group_offset
WHERE group_id = :group_id
ORDER BY topic_id, partition_index;

-- name: count_offsets
SELECT count(*) FROM group_offset;

-- name: some_offsets
SELECT group_id, topic_id, partition_index, "offset", leader_epoch, metadata, committed_ms, expires_ms
FROM group_offset
ORDER BY group_id, topic_id, partition_index
LIMIT :limit;
