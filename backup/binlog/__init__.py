"""Ship binary logs: fetch, verify, seal, sign; and say where the archive has gaps."""
