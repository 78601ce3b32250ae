-- Rows of the CRM: the same ones each time. Before: SET @leads, @cards, @calls, @invoices, @sentinel.

INSERT INTO tblleads (company, email, phone, source, created_at)
  SELECT IF(seq = 1, @sentinel, CONCAT('Customer ', LPAD(seq, 5, '0'))),
    CONCAT('office', seq, '@customer.example'),
    CONCAT('+91 00000 ', LPAD(seq MOD 100000, 5, '0')),
    ELT(1 + CRC32(seq) MOD 4, 'website', 'referral', 'exhibition', 'call'),
    '2026-01-05 09:00:00' + INTERVAL seq * 37 MINUTE
  FROM seq_1_to_1000000 WHERE seq <= @leads;

INSERT INTO tblcards (lead_id, title, expected, changed_at)
  SELECT 1 + CRC32(CONCAT('lead', seq)) MOD @leads,
    CONCAT('Enquiry ', LPAD(seq, 6, '0')),
    500 + CRC32(CONCAT('money', seq)) MOD 250000 / 4,
    '2026-01-06 09:00:00' + INTERVAL seq * 11 MINUTE
  FROM seq_1_to_1000000 WHERE seq <= @cards;

UPDATE tblcards SET stage = 'contacted', changed_at = changed_at + INTERVAL 1 DAY WHERE CRC32(id) MOD 10 < 8;

UPDATE tblcards SET stage = 'quoted', changed_at = changed_at + INTERVAL 2 DAY
  WHERE stage = 'contacted' AND CRC32(CONCAT('q', id)) MOD 10 < 6;

UPDATE tblcards SET stage = IF(CRC32(CONCAT('w', id)) MOD 2, 'won', 'lost'), changed_at = changed_at + INTERVAL 5 DAY
  WHERE stage = 'quoted' AND CRC32(CONCAT('c', id)) MOD 10 < 7;

INSERT INTO tblcalls (card_id, direction, seconds, note, called_at)
  SELECT 1 + CRC32(CONCAT('card', seq)) MOD @cards,
    IF(CRC32(CONCAT('d', seq)) MOD 3, 'out', 'in'),
    5 + CRC32(CONCAT('s', seq)) MOD 1800,
    CONCAT('Call ', seq, ': ', ELT(1 + CRC32(CONCAT('n', seq)) MOD 5, 'asked for a quotation', 'wants to be called again',
      'agreed to the terms', 'nobody answered', 'asked for an invoice'), ' (', MD5(seq), ')'),
    '2026-01-06 09:00:00' + INTERVAL seq * 3 MINUTE
  FROM seq_1_to_10000000 WHERE seq <= @calls;

INSERT INTO tblinvoices (lead_id, number, amount, status, issued_on)
  SELECT 1 + CRC32(CONCAT('inv', seq)) MOD @leads,
    CONCAT('INV-', LPAD(seq, 8, '0')),
    100 + CRC32(CONCAT('amount', seq)) MOD 900000 / 10,
    ELT(1 + CRC32(CONCAT('st', seq)) MOD 3, 'draft', 'sent', 'paid'),
    '2026-02-01' + INTERVAL seq MOD 120 DAY
  FROM seq_1_to_1000000 WHERE seq <= @invoices;

INSERT INTO tblsessions SELECT SHA2(seq, 512), '127.0.0.1', 1767603600 + seq, REPEAT(MD5(seq), 4)
  FROM seq_1_to_40;

INSERT INTO tblsearch_cache SELECT CONCAT('term ', seq), CRC32(seq) MOD 500 FROM seq_1_to_30;

