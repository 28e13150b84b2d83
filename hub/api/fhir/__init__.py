"""The FHIR door over HTTP: resources, bundles, messages and notifications in."""
