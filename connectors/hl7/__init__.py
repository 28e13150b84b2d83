"""HL7 v2: bytes to messages to events."""
