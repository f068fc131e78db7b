"""Portico: the front door for whatever you serve from Python."""
