"""What stands above the domains."""
