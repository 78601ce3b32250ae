"""What a customer's stack consists of, and the parsers of its files."""
