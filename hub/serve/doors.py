"""The doors of a service: MLLP, HTTP, and the way out by webhook. Each is opened for a service that stands."""

from __future__ import annotations

from hub.serve.service import Door, Service


async def open_mllp(service: Service) -> Door:
    """Listen for HL7 v2 over MLLP."""
    raise NotImplementedError


async def open_http(service: Service) -> Door:
    """Listen for HTTP."""
    raise NotImplementedError


async def open_webhooks(service: Service) -> Door:
    """Tell subscribers of alerts."""
    raise NotImplementedError
