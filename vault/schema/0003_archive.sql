-- The archive. Times without a zone in their name are UTC; sent_local is the wall clock of the export, in the chat's zone.
-- What a message is, is its digest (vault/whatsapp/message.py): collations serve searching and never compare messages.
DELIMITER //

CREATE TABLE IF NOT EXISTS chats (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  name VARCHAR(255) COLLATE utf8mb4_bin NOT NULL,
  zone VARCHAR(64) COLLATE utf8mb4_bin NOT NULL,
  created_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY by_name (name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

CREATE TABLE IF NOT EXISTS participants (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  chat_id INT UNSIGNED NOT NULL,
  name VARCHAR(255) COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY by_name (chat_id, name),
  CONSTRAINT participant_of FOREIGN KEY (chat_id) REFERENCES chats (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

CREATE TABLE IF NOT EXISTS imports (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT,
  chat_id INT UNSIGNED NOT NULL,
  source_name VARCHAR(255) NOT NULL,
  source_sha256 BINARY(32) NOT NULL,
  date_order CHAR(3) NOT NULL,
  started_at DATETIME(6) NOT NULL,
  PRIMARY KEY (id),
  KEY by_source (chat_id, source_sha256),
  CONSTRAINT import_into FOREIGN KEY (chat_id) REFERENCES chats (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

-- An import that has no row here was interrupted.
CREATE TABLE IF NOT EXISTS import_results (
  import_id INT UNSIGNED NOT NULL,
  finished_at DATETIME(6) NOT NULL,
  parsed INT UNSIGNED NOT NULL,
  added INT UNSIGNED NOT NULL,
  unparsed INT UNSIGNED NOT NULL,
  media_added INT UNSIGNED NOT NULL,
  media_missing INT UNSIGNED NOT NULL,
  root BINARY(32) NOT NULL,
  attachments_root BINARY(32) NOT NULL,
  audit_seq BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (import_id),
  CONSTRAINT result_of FOREIGN KEY (import_id) REFERENCES imports (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

-- Lines of an export that are no part of any message, byte for byte.
CREATE TABLE IF NOT EXISTS unparsed_lines (
  import_id INT UNSIGNED NOT NULL,
  line_no INT UNSIGNED NOT NULL,
  raw LONGBLOB NOT NULL,
  PRIMARY KEY (import_id, line_no),
  CONSTRAINT unparsed_in FOREIGN KEY (import_id) REFERENCES imports (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

-- Within one sent_local, `place` orders; there is room between two places for what a later export brings.
CREATE TABLE IF NOT EXISTS messages (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  chat_id INT UNSIGNED NOT NULL,
  sent_local DATETIME NOT NULL,
  sent_at DATETIME NOT NULL,
  place BIGINT UNSIGNED NOT NULL,
  sender_id INT UNSIGNED NULL,
  kind VARCHAR(16) NOT NULL,
  body MEDIUMTEXT COLLATE utf8mb4_unicode_520_ci NOT NULL,
  attachment VARCHAR(255) NULL,
  digest BINARY(32) NOT NULL,
  occurrence INT UNSIGNED NOT NULL,
  import_id INT UNSIGNED NOT NULL,
  line_no INT UNSIGNED NOT NULL,
  PRIMARY KEY (id),
  UNIQUE KEY once (chat_id, sent_local, digest, occurrence),
  KEY in_order (chat_id, sent_at, place),
  KEY of_import (import_id, line_no),
  FULLTEXT KEY words (body),
  CONSTRAINT message_in FOREIGN KEY (chat_id) REFERENCES chats (id),
  CONSTRAINT message_by FOREIGN KEY (sender_id) REFERENCES participants (id),
  CONSTRAINT message_from FOREIGN KEY (import_id) REFERENCES imports (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

-- The bytes lie in the media directory under their hash.
CREATE TABLE IF NOT EXISTS media (
  sha256 BINARY(32) NOT NULL,
  bytes BIGINT UNSIGNED NOT NULL,
  first_name VARCHAR(255) NOT NULL,
  import_id INT UNSIGNED NOT NULL,
  PRIMARY KEY (sha256),
  CONSTRAINT media_from FOREIGN KEY (import_id) REFERENCES imports (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

CREATE TABLE IF NOT EXISTS attachments (
  message_id BIGINT UNSIGNED NOT NULL,
  sha256 BINARY(32) NOT NULL,
  name VARCHAR(255) NOT NULL,
  import_id INT UNSIGNED NOT NULL,
  PRIMARY KEY (message_id, sha256),
  KEY of_import (import_id),
  CONSTRAINT attached_to FOREIGN KEY (message_id) REFERENCES messages (id),
  CONSTRAINT attached_media FOREIGN KEY (sha256) REFERENCES media (sha256)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

CREATE TABLE IF NOT EXISTS transcripts (
  sha256 BINARY(32) NOT NULL,
  model VARCHAR(128) NOT NULL,
  made_at DATETIME(6) NOT NULL,
  language VARCHAR(16) NULL,
  body MEDIUMTEXT COLLATE utf8mb4_unicode_520_ci NOT NULL,
  PRIMARY KEY (sha256, model),
  FULLTEXT KEY words (body),
  CONSTRAINT transcript_of FOREIGN KEY (sha256) REFERENCES media (sha256)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

CREATE TABLE IF NOT EXISTS extractions (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  message_id BIGINT UNSIGNED NOT NULL,
  model VARCHAR(128) NOT NULL,
  made_at DATETIME(6) NOT NULL,
  document LONGBLOB NOT NULL,
  PRIMARY KEY (id),
  KEY by_message (message_id),
  CONSTRAINT extraction_of FOREIGN KEY (message_id) REFERENCES messages (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

-- A redaction hides the original from readers and leaves it as it was.
CREATE TABLE IF NOT EXISTS redactions (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
  message_id BIGINT UNSIGNED NOT NULL,
  reason VARCHAR(1024) NOT NULL,
  made_at DATETIME(6) NOT NULL,
  audit_seq BIGINT UNSIGNED NOT NULL,
  PRIMARY KEY (id),
  KEY by_message (message_id),
  CONSTRAINT redaction_of FOREIGN KEY (message_id) REFERENCES messages (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//

-- Which export held which message, in its order. The digest stays when the message is erased, and with it the root of
-- the import that the audit log holds.
CREATE TABLE IF NOT EXISTS import_messages (
  import_id INT UNSIGNED NOT NULL,
  line_no INT UNSIGNED NOT NULL,
  message_id BIGINT UNSIGNED NOT NULL,
  digest BINARY(32) NOT NULL,
  PRIMARY KEY (import_id, line_no),
  KEY by_message (message_id, import_id),
  CONSTRAINT held_by FOREIGN KEY (import_id) REFERENCES imports (id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin
//
