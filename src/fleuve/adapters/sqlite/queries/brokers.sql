-- name: propose_cluster_id
INSERT INTO cluster (only, id) VALUES (0, :id) ON CONFLICT DO NOTHING;

-- name: cluster_id
SELECT id FROM cluster;

-- name: node_of_listeners
-- The broker that advertised these addresses last: clients may still take its node id for them.
SELECT node_id FROM incarnation WHERE listeners = :listeners ORDER BY id DESC LIMIT 1;

-- name: node_id_next
SELECT coalesce(max(node_id), 0) + 1 FROM incarnation;

-- name: fence_node
UPDATE incarnation SET fenced = 1 WHERE node_id = :node_id AND fenced = 0;

-- name: insert
INSERT INTO incarnation (node_id, listeners, rack, started_ms, lease_until_ms)
VALUES (:node_id, :listeners, :rack, :now, :lease_until_ms);

-- name: renew
-- Zero rows changed means that the incarnation is fenced.
UPDATE incarnation SET lease_until_ms = :lease_until_ms WHERE id = :id AND fenced = 0;

-- name: fence
UPDATE incarnation SET fenced = 1 WHERE id = :id AND fenced = 0;

-- name: live
SELECT id, node_id, listeners, rack FROM incarnation
 WHERE fenced = 0 AND lease_until_ms > :now
 ORDER BY node_id;
