"""What opsctl knows about MariaDB: connections, servers, GTIDs and binary logs."""
