"""Releases of applications: a directory is packed here, and put in place of the one before by the agent on the host."""
