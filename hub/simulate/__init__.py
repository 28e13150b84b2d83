"""A simulated clinic that sends HL7 v2.5.1: the same seed gives the same messages, byte for byte."""

from hub.simulate.run import SITE_FILE, Simulation, Told, simulate, write_clinic

__all__ = ["SITE_FILE", "Simulation", "Told", "simulate", "write_clinic"]
