"""The inventory of a customer, `stacks/NAME.toml`: one file for each kind of section, `inventory.py` for the whole."""
