"""What `opsctl doctor` looks at: one file per family of probes."""
