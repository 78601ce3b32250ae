"""Reads WhatsApp's text exports: pure, streaming, and never guessing."""
