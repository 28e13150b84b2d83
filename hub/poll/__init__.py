"""Asking FHIR servers: searches again and again, exports, and events that notifications left out."""
