-- A while of work in the CRM. Before: SET @amount (rows of each kind), @round (0, 1, 2 … for each later run).

INSERT INTO tblleads (company, email, phone, source, created_at)
  SELECT CONCAT('Late customer ', @round, '-', seq), CONCAT('late', @round, '-', seq, '@customer.example'),
    '+91 00000 00000', 'call', UTC_TIMESTAMP()
  FROM seq_1_to_100000 WHERE seq <= @amount;

UPDATE tblcards SET stage = ELT(1 + (FIELD(stage, 'new', 'contacted', 'quoted', 'won', 'lost') MOD 5),
    'new', 'contacted', 'quoted', 'won', 'lost'), changed_at = UTC_TIMESTAMP(6)
  ORDER BY CRC32(CONCAT(id, '-', @round)), id LIMIT 25;

INSERT INTO tblcalls (card_id, direction, seconds, note, called_at)
  SELECT 1 + CRC32(CONCAT(@round, '-', seq)) MOD (SELECT COUNT(*) FROM tblcards), 'out', 60 + seq MOD 600,
    CONCAT('Later call ', @round, '-', seq), UTC_TIMESTAMP()
  FROM seq_1_to_100000 WHERE seq <= @amount;

UPDATE tblinvoices SET status = 'paid' WHERE status = 'sent' ORDER BY id LIMIT 5;

DELETE FROM tblinvoices WHERE status = 'draft' ORDER BY id LIMIT 1;

INSERT INTO tblsessions SELECT SHA2(CONCAT('later', @round, '-', seq), 512), '127.0.0.1', UNIX_TIMESTAMP(), MD5(seq)
  FROM seq_1_to_5;

ALTER TABLE tblcalls ADD COLUMN IF NOT EXISTS follow_up_on DATE NULL;

