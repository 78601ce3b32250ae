"""The customer's tamper-evident vault."""
