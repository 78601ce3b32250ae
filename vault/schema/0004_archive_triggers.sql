-- The archive changes only in sessions that say so (SET @opsctl_vault_change = 'why'), and only by accounts that may;
-- what was received never changes, whatever the session says.
DELIMITER //

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER messages_update BEFORE UPDATE ON messages FOR EACH ROW
BEGIN
  IF COALESCE(@opsctl_vault_change, '') = '' THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'messages change only in a session that says why';
  END IF;
  IF NOT (BINARY NEW.body <=> BINARY OLD.body AND NEW.chat_id <=> OLD.chat_id AND NEW.sent_local <=> OLD.sent_local
    AND NEW.sent_at <=> OLD.sent_at AND NEW.sender_id <=> OLD.sender_id AND NEW.kind <=> OLD.kind
    AND BINARY NEW.attachment <=> BINARY OLD.attachment AND NEW.digest <=> OLD.digest
    AND NEW.import_id <=> OLD.import_id AND NEW.line_no <=> OLD.line_no) THEN
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'what was received never changes';
  END IF;
END
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER messages_delete BEFORE DELETE ON messages FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'messages are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER chats_update BEFORE UPDATE ON chats FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'chats change only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER chats_delete BEFORE DELETE ON chats FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'chats are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER participants_update BEFORE UPDATE ON participants FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'what was received never changes'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER participants_delete BEFORE DELETE ON participants FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'participants are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER imports_update BEFORE UPDATE ON imports FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'imports change only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER imports_delete BEFORE DELETE ON imports FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'imports are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER import_results_update BEFORE UPDATE ON import_results FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'import_results change only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER import_results_delete BEFORE DELETE ON import_results FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'import_results are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER unparsed_lines_update BEFORE UPDATE ON unparsed_lines FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'what was received never changes'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER unparsed_lines_delete BEFORE DELETE ON unparsed_lines FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'unparsed_lines are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER media_update BEFORE UPDATE ON media FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'what was received never changes'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER media_delete BEFORE DELETE ON media FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'media are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER attachments_update BEFORE UPDATE ON attachments FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'what was received never changes'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER attachments_delete BEFORE DELETE ON attachments FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'attachments are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER transcripts_update BEFORE UPDATE ON transcripts FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'transcripts change only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER transcripts_delete BEFORE DELETE ON transcripts FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'transcripts are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER extractions_update BEFORE UPDATE ON extractions FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'extractions change only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER extractions_delete BEFORE DELETE ON extractions FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'extractions are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER redactions_update BEFORE UPDATE ON redactions FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'redactions change only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER redactions_delete BEFORE DELETE ON redactions FOR EACH ROW
IF COALESCE(@opsctl_vault_change, '') = '' THEN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'redactions are deleted only in a session that says why';
END IF
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER import_messages_update BEFORE UPDATE ON import_messages FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'what was received never changes'
//

CREATE OR REPLACE DEFINER=opsctl_vault@localhost TRIGGER import_messages_delete BEFORE DELETE ON import_messages FOR EACH ROW
SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'what was received never changes'
//
