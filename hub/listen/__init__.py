"""The inbound sockets: nothing else of the hub listens."""
