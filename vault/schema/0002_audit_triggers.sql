-- The chain, and what refuses to change it. The definer is an account that nobody can log in to.
DELIMITER //

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER audit_insert BEFORE INSERT ON audit FOR EACH ROW
BEGIN
  DECLARE v_log BINARY(16);
  DECLARE v_seq BIGINT UNSIGNED;
  DECLARE v_prev BINARY(32);
  IF LENGTH(NEW.payload) > 65536 THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'an audit payload has at most 65536 bytes';
  END IF;
  SELECT log_id, seq + 1, row_hash INTO v_log, v_seq, v_prev FROM audit_head WHERE id = 1 FOR UPDATE;
  IF v_seq IS NULL THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log has no head';
  END IF;
  SET NEW.seq = v_seq;
  SET NEW.prev_hash = v_prev;
  SET NEW.row_hash = UNHEX(SHA2(CONCAT(
    _binary 'opsctl-chain-v1', v_log, UNHEX(LPAD(HEX(v_seq), 16, '0')), v_prev,
    UNHEX(LPAD(HEX(LENGTH(NEW.payload)), 16, '0')), NEW.payload), 256));
  UPDATE audit_head SET seq = v_seq, row_hash = NEW.row_hash WHERE id = 1;
  SET @opsctl_audit_seq = v_seq;
END
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER audit_update BEFORE UPDATE ON audit FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER audit_delete BEFORE DELETE ON audit FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER audit_head_update BEFORE UPDATE ON audit_head FOR EACH ROW
IF NEW.id <> OLD.id OR NEW.log_id <> OLD.log_id OR NEW.seq <> OLD.seq + 1 OR NEW.row_hash = OLD.row_hash THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the head of the audit log moves forward only, one row at a time';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER audit_head_delete BEFORE DELETE ON audit_head FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the head of the audit log is not deleted'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER audit_log_update BEFORE UPDATE ON audit_log FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the id of the audit log does not change'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER audit_log_delete BEFORE DELETE ON audit_log FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the id of the audit log does not change'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER audit_archive_update BEFORE UPDATE ON audit_archive FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER audit_archive_delete BEFORE DELETE ON audit_archive FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'the audit log is append-only'
//
