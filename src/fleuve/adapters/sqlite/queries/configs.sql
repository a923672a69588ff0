-- name: load_all
SELECT resource_type, resource_key, overrides, version FROM config;

-- name: load
SELECT overrides, version FROM config WHERE resource_type = :resource_type AND resource_key = :resource_key;

-- name: save
-- Compare-and-set. Zero rows changed means that somebody else was faster.
INSERT INTO config (resource_type, resource_key, overrides, version)
SELECT :resource_type, :resource_key, :overrides, 1
 WHERE :expected_version = 0
    OR EXISTS (SELECT 1 FROM config WHERE resource_type = :resource_type AND resource_key = :resource_key)
ON CONFLICT (resource_type, resource_key) DO UPDATE SET overrides = :overrides, version = version + 1
 WHERE version = :expected_version;

-- name: insert
INSERT INTO config (resource_type, resource_key, overrides, version)
VALUES (:resource_type, :resource_key, :overrides, 1);

-- name: remove
DELETE FROM config WHERE resource_type = :resource_type AND resource_key = :resource_key;
