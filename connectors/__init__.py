"""Bytes to events, and alerts to bytes."""
