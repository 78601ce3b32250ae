"""Brings exports into the archive: each message once, each file once, in order, whatever happens on the way."""
