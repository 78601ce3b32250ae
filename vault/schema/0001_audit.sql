-- The audit log. A writer inserts a payload; a trigger (0002) gives it its place in the chain under the head row's
-- lock. Hash: opsctl/core/chain.py. What is hashed is what is stored: LONGBLOB knows no character set and no rounding.
DELIMITER //

CREATE TABLE IF NOT EXISTS audit (
  seq BIGINT UNSIGNED NOT NULL DEFAULT 0,
  prev_hash BINARY(32) NOT NULL DEFAULT '',
  row_hash BINARY(32) NOT NULL DEFAULT '',
  payload LONGBLOB NOT NULL,
  PRIMARY KEY (seq)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

-- Where the chain ends: one row, seen by nobody but the trigger.
CREATE TABLE IF NOT EXISTS audit_head (
  id TINYINT UNSIGNED NOT NULL,
  log_id BINARY(16) NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  row_hash BINARY(32) NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT only_one_head CHECK (id = 1)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

-- The log's id, for whoever verifies.
CREATE TABLE IF NOT EXISTS audit_log (
  id TINYINT UNSIGNED NOT NULL,
  log_id BINARY(16) NOT NULL,
  PRIMARY KEY (id),
  CONSTRAINT only_one_log CHECK (id = 1)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

-- Logs that ended because an older copy of the vault was restored (vault/verify/renew.py): rows as they were.
CREATE TABLE IF NOT EXISTS audit_archive (
  log_id BINARY(16) NOT NULL,
  seq BIGINT UNSIGNED NOT NULL,
  prev_hash BINARY(32) NOT NULL,
  row_hash BINARY(32) NOT NULL,
  payload LONGBLOB NOT NULL,
  PRIMARY KEY (log_id, seq)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

INSERT IGNORE INTO audit_log (id, log_id) VALUES (1, RANDOM_BYTES(16))
//

INSERT IGNORE INTO audit_head (id, log_id, seq, row_hash) SELECT 1, log_id, 0, REPEAT(CHAR(0), 32) FROM audit_log
//
