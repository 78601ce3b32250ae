"""From the inventory to all that shall be on a host: one file for each subject, `whole.py` for their order."""
