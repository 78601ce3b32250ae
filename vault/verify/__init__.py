"""Is the audit log what was written: every link, every checkpoint, and proofs that others can check."""
