"""Mappings as data: which field of which message becomes which attribute of which event."""
