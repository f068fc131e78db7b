"""Clients: TCP, UDP and HTTP, on the same wire as the server."""
