-- name: objects
-- Every object that holds records, and the position behind the last of them.
SELECT object.name, max(run.position + run.length)
  FROM run JOIN object ON object.id = run.object_id
 GROUP BY object.id;

-- name: running
-- The runs of brokers that have not ended, and how far each has committed.
SELECT id, last_flush FROM incarnation WHERE fenced = 0;

-- name: sign_of_life
-- Changes with each run of a broker, and each time one renews its lease.
SELECT id, lease_until_ms FROM incarnation WHERE fenced = 0 ORDER BY id DESC LIMIT 1;
