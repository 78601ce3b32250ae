"""Health: looks every five minutes at what visitors and jobs depend on, recovery by policy, and maintenance."""
