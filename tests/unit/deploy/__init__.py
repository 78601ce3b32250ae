"""Deployments, as far as no host is needed."""
