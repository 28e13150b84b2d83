"""The doors of a service: MLLP, HTTP, and the way out by webhook. Each is opened for a service that stands."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.hl7.ack import ACCEPT, ERROR
from hub.api.app import make_app
from hub.api.serve_http import listen
from hub.deliver.declared_webhooks import read_webhooks
from hub.deliver.webhook import WebhookCounts, deliver
from hub.listen.access import check_address, read_networks, read_tls
from hub.listen.mllp import MllpListener, MllpSettings
from hub.serve.service import Door, Service, machine_time
from schemas.errors import WrongUse


async def open_mllp(service: Service) -> Door:
    """Listen for HL7 v2 over MLLP."""
    settings = service.settings
    assert settings.mllp is not None  # noqa: S101 - asked for, or it were not opened
    host, port = settings.mllp
    networks = read_networks("--mllp-allow", settings.mllp_allow)
    tls = read_tls(settings.mllp_certificate, settings.mllp_key, settings.mllp_client_ca)
    refused = check_address(host, networks, has_client_certificates=settings.mllp_client_ca is not None)
    if refused is not None:
        raise WrongUse(f"--mllp {refused}")
    listener = await MllpListener.open(
        service.intake,
        MllpSettings(
            host=host,
            port=port,
            networks=networks,
            tls=tls,
            dead_letters=ACCEPT if settings.acknowledges_dead_letters else ERROR,
        ),
        service.log.info,
    )
    service.counters.append(lambda: dict(counts_of(listener)))
    return listener


async def open_http(service: Service) -> Door:
    """Listen for HTTP."""
    assert service.settings.http is not None  # noqa: S101 - asked for, or it were not opened

    def counters() -> Mapping[str, float]:
        return {name: value for numbers in service.counters for name, value in numbers().items()}

    app = make_app(
        service.intake,
        service.store.reader,
        machine_time,
        zone=service.settings.timezone or service.declared.site.timezone or "UTC",
        log=service.log,
        counters=counters,
    )
    return await listen(app, *service.settings.http)


def counts_of(listener: MllpListener) -> list[tuple[str, float]]:
    """What /metrics tells of MLLP."""
    return [
        ("pxhub_mllp_connections", listener.connections),
        ("pxhub_mllp_connections_opened_total", listener.opened),
        ("pxhub_mllp_connections_refused_total", listener.refused),
        ("pxhub_mllp_frames_total", listener.frames),
        ("pxhub_mllp_cut_frames_total", listener.cut),
        ("pxhub_mllp_held_bytes", listener.held),
    ]


async def open_webhooks(service: Service) -> Door:
    """Tell subscribers of alerts."""
    assert service.settings.webhooks is not None  # noqa: S101 - asked for, or it were not opened
    known = {threshold.id for threshold in service.declared.thresholds.thresholds}
    webhooks = read_webhooks(service.settings.webhooks, known)
    counts = WebhookCounts()
    service.counters.append(counts.numbers)
    return await deliver(webhooks, service.intake, service.store.reader, machine_time, log=service.log, counts=counts)
