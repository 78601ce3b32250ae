"""A database with one of everything that a logical export has to carry over, and how to compare two servers."""

from dataclasses import dataclass
from typing import Any

from backup.logical import inventory
from backup.logical.accounts import read_accounts
from backup.logical.document import ExportedTable, Program, Schema
from tests.support.mariadb import Server

# Definers and the grants of views are chosen so that a wrong order of loading fails.
STATEMENTS = (
    "CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "CREATE DATABASE `aaa odd é-$ db` CHARACTER SET latin1",
    "CREATE USER clerk@localhost IDENTIFIED BY 'cl\"e''rk\\\\'",
    "CREATE USER `odd'u\"x`@`10.0.%` IDENTIFIED VIA mysql_native_password USING PASSWORD('q') REQUIRE SSL"
    " WITH MAX_USER_CONNECTIONS 4 ACCOUNT LOCK",
    "CREATE ROLE seller",
    "CREATE ROLE manager",
    "USE shop",  # of seq_1_to_1000
    "CREATE TABLE shop.kinds (id INT PRIMARY KEY AUTO_INCREMENT, b BLOB, bits BIT(12), d DECIMAL(30,10), f DOUBLE,"
    " t TIMESTAMP(6) NULL, dt DATETIME(3), e ENUM('a','ü'), s SET('x','y'), j JSON, g GEOMETRY, l LONGTEXT,"
    " latin VARCHAR(20) CHARACTER SET latin1, bin VARBINARY(20),"
    " twice INT AS (id * 2) VIRTUAL, kept VARCHAR(50) AS (CONCAT(latin, '!')) PERSISTENT,"
    " hidden INT INVISIBLE DEFAULT 7)"
    " COMMENT='it''s\n-- Current Database: `shop`\n--\n'",
    "INSERT INTO shop.kinds (b, bits, d, f, t, dt, e, s, j, g, l, latin, bin) VALUES"
    " (0x00ff0a0d1a275c22, b'101', 1.5, 0.1, '2026-03-29 02:30:00.123456', '2026-01-01 00:00:00.5', 'ü', 'x,y',"
    " '{\"a\": [1, 2]}', ST_GeomFromText('POINT(1 2)'), 'line\n-- Current Database: `shop`\n--\nend; DELIMITER ;;',"
    " 'café', 0x0001),"
    " (NULL, NULL, NULL, 1e308, NULL, NULL, NULL, '', NULL, NULL, REPEAT('日本 😀', 1000), '', '')",
    "INSERT INTO shop.kinds (id, latin) VALUES (100, 'ü')",
    "SET STATEMENT sql_mode = 'NO_AUTO_VALUE_ON_ZERO' FOR INSERT INTO shop.kinds (id, latin) VALUES (0, 'zero')",
    "CREATE TABLE shop.parts (i INT, PRIMARY KEY (i)) PARTITION BY HASH(i) PARTITIONS 3",
    "INSERT INTO shop.parts SELECT seq FROM seq_1_to_1000",
    "CREATE TABLE shop.child (i INT, FOREIGN KEY (i) REFERENCES kinds (id))",
    "INSERT INTO shop.child VALUES (100), (NULL)",
    "CREATE TABLE shop.myisam (i INT) ENGINE=MyISAM",
    "INSERT INTO shop.myisam VALUES (1), (2)",
    "CREATE TABLE shop.`a``b\nc` (`x``y` INT)",
    "CREATE TABLE shop.versioned (i INT) WITH SYSTEM VERSIONING",
    "INSERT INTO shop.versioned VALUES (1), (2)",
    "DELETE FROM shop.versioned WHERE i = 1",
    "CREATE SEQUENCE shop.numbers START WITH 10 INCREMENT BY 5",
    "DO NEXTVAL(shop.numbers)",
    "CREATE TABLE shop.log (at INT, what VARCHAR(50))",
    "CREATE DEFINER=clerk@localhost TRIGGER shop.noted AFTER INSERT ON shop.parts FOR EACH ROW"
    " INSERT INTO shop.log VALUES (NEW.i, 'it''s in')",
    "CREATE TRIGGER shop.noted_too AFTER INSERT ON shop.parts FOR EACH ROW FOLLOWS noted SET @x = 1",
    "SET STATEMENT sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT' FOR"
    ' CREATE FUNCTION shop.joined(a TEXT, b TEXT) RETURNS TEXT DETERMINISTIC RETURN a || "b"',
    "CREATE PROCEDURE shop.work() BEGIN\n  -- a comment; with ;; in it\n  SELECT 'DELIMITER ;' AS x;\nEND",
    "CREATE EVENT shop.runs ON SCHEDULE EVERY 1 DAY ON COMPLETION PRESERVE ENABLE DO DELETE FROM shop.log",
    "CREATE EVENT shop.rests ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM shop.log",
    "CREATE EVENT shop.once ON SCHEDULE AT CURRENT_TIMESTAMP + INTERVAL 1 SECOND DO DELETE FROM shop.log",
    "CREATE DEFINER=clerk@localhost SQL SECURITY DEFINER VIEW shop.base AS SELECT i FROM shop.parts",
    "GRANT SELECT (i) ON shop.parts TO clerk@localhost",
    "GRANT EXECUTE ON PROCEDURE shop.work TO seller",
    "GRANT SELECT ON shop.base TO seller",
    "GRANT seller TO manager",
    "GRANT manager TO clerk@localhost WITH ADMIN OPTION",
    "SET DEFAULT ROLE manager FOR clerk@localhost",
    "GRANT SELECT ON `aaa odd é-$ db`.* TO `odd'u\"x`@`10.0.%`",
    "CREATE TABLE `aaa odd é-$ db`.t (n VARCHAR(10))",
    "INSERT INTO `aaa odd é-$ db`.t VALUES ('é')",
    # Of a database that is loaded before the one it reads from, and on a view with a definer.
    "CREATE VIEW `aaa odd é-$ db`.above AS SELECT i, shop.joined(i, 'b') AS j FROM shop.base WHERE i < 3",
)
GRANT_TO_PUBLIC = "GRANT SELECT ON shop.log TO PUBLIC"


@dataclass(frozen=True)
class Content:
    """Everything of a server that an export carries over."""

    schemas: tuple[Schema, ...]
    tables: tuple[ExportedTable, ...]
    programs: tuple[Program, ...]
    users: tuple[str, ...]
    roles: tuple[str, ...]
    grants: tuple[str, ...]
    sequences: tuple[Any, ...]
    modes: tuple[Any, ...]
    views: tuple[Any, ...]


def fill(server: Server) -> None:
    """Put one of everything onto a server."""
    with server.connect(charset="utf8mb4") as connection, connection.cursor() as cursor:
        for statement in (*STATEMENTS, GRANT_TO_PUBLIC):
            cursor.execute(statement)


def content(server: Server) -> Content:
    """What is there now, tables of engines without transactions counted like all others."""
    with server.connect(charset="utf8mb4") as connection, connection.cursor() as cursor:

        def ask(statement: str) -> list[tuple[Any, ...]]:
            cursor.execute(statement)
            return list(cursor.fetchall())

        for statement in inventory.SESSION:
            ask(statement)
        columns = inventory.columns(ask)
        tables = tuple(
            inventory.counted(ask, table, columns[table.database, table.name]) if table.kind == "table" else table
            for table in inventory.tables(ask)
        )
        accounts = read_accounts(ask)
        lines = accounts.sql.decode().splitlines()
        return Content(
            inventory.schemas(ask),
            tables,
            inventory.programs(ask),
            accounts.users,
            accounts.roles,
            tuple(sorted(line for line in lines if line.startswith(("GRANT", "SET DEFAULT", "CREATE")))),
            tuple(ask("SELECT next_not_cached_value, increment FROM shop.numbers")),
            tuple(ask("SELECT name, sql_mode FROM mysql.proc WHERE db = 'shop' ORDER BY name")),
            tuple(ask("SELECT * FROM `aaa odd é-$ db`.above ORDER BY i")),
        )
