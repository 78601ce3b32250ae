"""Puts a customer's stack onto its hosts: what shall be there, what is, the difference as a plan, and its application.

What shall be there is a list of resources (resources.py), rendered from the inventory and the templates. What is
there, and every change, is the work of the agent (agent/), a small program of Python's standard library that is carried
to the host: it answers in one round trip, and a connection that is cut does not cut a change in the middle.
"""
