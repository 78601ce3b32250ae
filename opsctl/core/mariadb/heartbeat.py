"""The heartbeat table: one row with the host's UTC time, written before each shipment, read back after a replay.

Its name is fixed, since a drill has to find it in a database about which it believes no settings.
"""

HEARTBEAT_SCHEMA = "opsctl"
HEARTBEAT_TABLE = f"{HEARTBEAT_SCHEMA}.heartbeat"
