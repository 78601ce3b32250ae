-- The tables of a small CRM of the CodeIgniter kind. A statement ends at a semicolon before an empty line.

CREATE TABLE tblleads (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  company VARCHAR(120) NOT NULL,
  email VARCHAR(120) NOT NULL,
  phone VARCHAR(30) NOT NULL,
  source ENUM('website', 'referral', 'exhibition', 'call') NOT NULL,
  bank_account TEXT NULL COMMENT 'CodeIgniter 3 Encryption, key APP_ENC_KEY',
  created_at DATETIME NOT NULL,
  UNIQUE KEY email (email)
) ENGINE=InnoDB ENCRYPTED=YES ENCRYPTION_KEY_ID=3;

CREATE TABLE tblcards (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  lead_id INT UNSIGNED NOT NULL,
  title VARCHAR(120) NOT NULL,
  stage ENUM('new', 'contacted', 'quoted', 'won', 'lost') NOT NULL DEFAULT 'new',
  expected DECIMAL(12,2) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  KEY stage (stage),
  CONSTRAINT cards_lead FOREIGN KEY (lead_id) REFERENCES tblleads (id)
) ENGINE=InnoDB;

CREATE TABLE tblcard_stages (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  card_id INT UNSIGNED NOT NULL,
  from_stage VARCHAR(20) NOT NULL,
  to_stage VARCHAR(20) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  CONSTRAINT stages_card FOREIGN KEY (card_id) REFERENCES tblcards (id)
) ENGINE=InnoDB;

CREATE TABLE tblcalls (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  card_id INT UNSIGNED NOT NULL,
  direction ENUM('in', 'out') NOT NULL,
  seconds SMALLINT UNSIGNED NOT NULL,
  note TEXT NOT NULL,
  called_at DATETIME NOT NULL,
  KEY called_at (called_at),
  CONSTRAINT calls_card FOREIGN KEY (card_id) REFERENCES tblcards (id)
) ENGINE=InnoDB;

CREATE TABLE tblinvoices (
  id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  lead_id INT UNSIGNED NOT NULL,
  number CHAR(12) NOT NULL,
  amount DECIMAL(12,2) NOT NULL,
  status ENUM('draft', 'sent', 'paid') NOT NULL,
  issued_on DATE NOT NULL,
  UNIQUE KEY number (number),
  CONSTRAINT invoices_lead FOREIGN KEY (lead_id) REFERENCES tblleads (id)
) ENGINE=InnoDB ENCRYPTED=YES ENCRYPTION_KEY_ID=2;

CREATE TABLE tblsessions (
  id VARCHAR(128) NOT NULL PRIMARY KEY,
  ip_address VARCHAR(45) NOT NULL,
  timestamp INT UNSIGNED NOT NULL,
  data BLOB NOT NULL
) ENGINE=MyISAM;

CREATE TABLE tblsearch_cache (
  term VARCHAR(80) NOT NULL PRIMARY KEY,
  hits INT UNSIGNED NOT NULL
) ENGINE=Aria TRANSACTIONAL=1;

CREATE DEFINER=crm@localhost SQL SECURITY INVOKER VIEW pipeline AS
  SELECT stage, COUNT(*) AS cards, SUM(expected) AS expected FROM tblcards GROUP BY stage;

CREATE DEFINER=crm@localhost SQL SECURITY INVOKER VIEW open_invoices AS
  SELECT i.number, i.amount, l.company FROM tblinvoices i JOIN tblleads l ON l.id = i.lead_id WHERE i.status = 'sent';

CREATE DEFINER=crm@localhost TRIGGER card_stage_history AFTER UPDATE ON tblcards FOR EACH ROW
  INSERT INTO tblcard_stages (card_id, from_stage, to_stage, changed_at)
  SELECT NEW.id, OLD.stage, NEW.stage, NEW.changed_at FROM DUAL WHERE OLD.stage <> NEW.stage;

CREATE DEFINER=crm@localhost FUNCTION call_seconds(card INT UNSIGNED) RETURNS INT UNSIGNED READS SQL DATA
  RETURN (SELECT COALESCE(SUM(seconds), 0) FROM tblcalls WHERE card_id = card);

CREATE DEFINER=crm@localhost PROCEDURE forget_sessions(older_than INT UNSIGNED)
  DELETE FROM tblsessions WHERE timestamp < older_than;

CREATE DEFINER=crm@localhost EVENT forget_sessions ON SCHEDULE EVERY 1 DAY STARTS '2038-01-01 03:00:00'
  DO CALL forget_sessions(UNIX_TIMESTAMP() - 7200);

