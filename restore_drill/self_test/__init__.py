"""The self-test: what the drill would miss it does not know by itself, so faults are made for it to find."""
