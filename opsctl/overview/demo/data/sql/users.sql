-- Databases and accounts. Before: SET @wordpress, @crm, @backup, @ship, @export, @watch (the passwords).

CREATE DATABASE wordpress CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE DATABASE crm CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;

CREATE DATABASE opsctl CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE opsctl.heartbeat (id TINYINT NOT NULL PRIMARY KEY, at DATETIME(6) NOT NULL) ENGINE=InnoDB;

EXECUTE IMMEDIATE CONCAT('CREATE USER wordpress@localhost IDENTIFIED BY ', QUOTE(@wordpress));

GRANT ALL PRIVILEGES ON wordpress.* TO wordpress@localhost;

EXECUTE IMMEDIATE CONCAT('CREATE USER crm@localhost IDENTIFIED BY ', QUOTE(@crm));

GRANT ALL PRIVILEGES ON crm.* TO crm@localhost;

EXECUTE IMMEDIATE CONCAT('CREATE USER opsctl_backup@localhost IDENTIFIED BY ', QUOTE(@backup));

-- REFERENCES reads no row; it makes every table visible in information_schema, for the inventory.
GRANT RELOAD, PROCESS, LOCK TABLES, BINLOG MONITOR, REFERENCES ON *.* TO opsctl_backup@localhost;

EXECUTE IMMEDIATE CONCAT('CREATE USER opsctl_ship@localhost IDENTIFIED BY ', QUOTE(@ship));

GRANT RELOAD, BINLOG MONITOR, REPLICATION SLAVE ON *.* TO opsctl_ship@localhost;

GRANT SELECT, INSERT, UPDATE ON opsctl.heartbeat TO opsctl_ship@localhost;

EXECUTE IMMEDIATE CONCAT('CREATE USER opsctl_export@localhost IDENTIFIED BY ', QUOTE(@export));

GRANT SELECT, SHOW VIEW, EXECUTE, TRIGGER, EVENT, RELOAD, PROCESS, BINLOG MONITOR ON *.* TO opsctl_export@localhost;

EXECUTE IMMEDIATE CONCAT('CREATE USER opsctl_watch@localhost IDENTIFIED BY ', QUOTE(@watch));

GRANT SELECT, TRIGGER, PROCESS, SLAVE MONITOR ON *.* TO opsctl_watch@localhost;
