"""A simulated clinic that speaks HL7 v2.5.1, FHIR R4 and webhooks: the same seed gives the same bytes."""

from hub.simulate.run import MESSAGE_FILES, SECRET_FILE, SITE_FILE, Said, Simulation, Told, simulate, write_clinic
from hub.simulate.voices import CALLS_FILE, PORTAL_FILE

__all__ = [
    "CALLS_FILE",
    "MESSAGE_FILES",
    "PORTAL_FILE",
    "SECRET_FILE",
    "SITE_FILE",
    "Said",
    "Simulation",
    "Told",
    "simulate",
    "write_clinic",
]
