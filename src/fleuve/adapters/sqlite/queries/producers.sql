-- name: allocate
INSERT INTO producer_id_block (first_id, size, allocated_ms)
SELECT COALESCE((SELECT first_id + size FROM producer_id_block ORDER BY first_id DESC LIMIT 1), 0), :size, :now_ms
RETURNING first_id;

-- name: allocated_ms
-- When the block that holds a producer id was handed out.
SELECT allocated_ms FROM producer_id_block
 WHERE first_id <= :producer_id AND :producer_id < first_id + size
 ORDER BY first_id DESC LIMIT 1;

-- name: forget
-- The newest block stays: the next one begins behind it.
DELETE FROM producer_id_block
 WHERE allocated_ms < :before_ms AND first_id < (SELECT MAX(first_id) FROM producer_id_block);
