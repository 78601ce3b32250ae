"""One small repository and ledger of each format that was ever released: every later version restores it."""
