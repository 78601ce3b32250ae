"""Make and keep backups: physical, binary logs, site files, keys."""
