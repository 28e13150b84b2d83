"""FHIR R4 and R4B: resources to statements of how things stand."""
