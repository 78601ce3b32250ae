-- Bulk for measurements: rows of about 1 kB of text that compresses about as well as correspondence does.
-- Before: SET @rows. Kept out of the binary log: it is there before the first backup, and nothing replays it.

SET SESSION sql_log_bin = 0;

CREATE TABLE filler (
  id INT UNSIGNED NOT NULL PRIMARY KEY,
  body TEXT NOT NULL
) ENGINE=InnoDB;

INSERT INTO filler SELECT seq, CONCAT(
    SHA2(CONCAT('a', seq), 512), ' the parcel left the warehouse and reached the customer on the same day ',
    SHA2(CONCAT('b', seq), 512), ' please send the signed copy of the order with the next delivery ',
    SHA2(CONCAT('c', seq), 512), ' nobody was at the office when the courier called, so he left a note ',
    SHA2(CONCAT('d', seq), 512), ' the invoice was paid in full and the receipt was sent by post ',
    SHA2(CONCAT('e', seq), 512), ' the next visit is agreed for the first week of the month ')
  FROM seq_1_to_100000000 WHERE seq <= @rows;

SET SESSION sql_log_bin = 1;

