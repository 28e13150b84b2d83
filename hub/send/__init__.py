"""Sending HL7 v2 over MLLP: files to messages, messages to a receiver, and what it answered."""
