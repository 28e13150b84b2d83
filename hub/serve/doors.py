"""The doors of a service: MLLP, HTTP, and the way out by webhook.

Each is bound first, its flags and files checked and its port taken, before the store is touched: a start that is
refused has changed nothing. It is opened when the service stands.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from connectors.hl7.ack import ACCEPT, ERROR
from hub.api.app import make_app
from hub.api.hooks import HookDoor
from hub.api.metrics import Counters
from hub.api.serve_http import bind_http, listen
from hub.declared import Declared
from hub.deliver.address import look_up
from hub.deliver.declared_webhooks import check_hosts, read_webhooks
from hub.deliver.webhook import WebhookCounts, deliver
from hub.listen.access import check_address, read_networks, read_tls
from hub.listen.bind import bind
from hub.listen.mllp import MllpListener, MllpSettings
from hub.poll.client import FhirClient
from hub.serve.life import Door
from hub.serve.service import Opening, ServeSettings, Service, machine_time
from hub.serve.takes import Takes
from schemas.errors import WrongUse

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

OpenMllp = Callable[[Takes, "BoundLogger", list[Counters]], Awaitable[Door]]
"""Opens the door for who takes, with the log, and the list of what /metrics tells."""


def bind_mllp(settings: ServeSettings, _: Declared, held: ExitStack) -> Opening:
    """Listen for HL7 v2 over MLLP."""
    open_at = mllp_door(settings, held)

    async def opened(service: Service) -> Door:
        return await open_at(service.intake, service.log, service.counters)

    return opened


def mllp_door(settings: ServeSettings, held: ExitStack) -> OpenMllp:
    """Check what MLLP was asked for and take its port; what it gives opens the door. Raises WrongUse."""
    assert settings.mllp is not None  # noqa: S101 - asked for, or it were not bound
    host, port = settings.mllp
    networks = read_networks("--mllp-allow", settings.mllp_allow)
    tls = read_tls(settings.mllp_certificate, settings.mllp_key, settings.mllp_client_ca)
    refused = check_address(host, networks, has_client_certificates=settings.mllp_client_ca is not None)
    if refused is not None:
        raise WrongUse(f"--mllp {refused}")
    listening = held.enter_context(bind("--mllp", host, port))
    wanted = MllpSettings(
        host=host,
        port=port,
        networks=networks,
        tls=tls,
        dead_letters=ACCEPT if settings.acknowledges_dead_letters else ERROR,
    )

    async def opened(intake: Takes, log: BoundLogger, counters: list[Counters]) -> Door:
        listener = await MllpListener.open(intake, wanted, log.info, listening)
        counters.append(lambda: dict(counts_of(listener)))
        return listener

    return opened


def bind_http_door(settings: ServeSettings, declared: Declared, held: ExitStack) -> Opening:
    """Listen for HTTP."""
    assert settings.http is not None  # noqa: S101 - asked for, or it were not bound
    hooks = HookDoor(declared.site.sources)
    listening = held.enter_context(bind_http(*settings.http))

    async def opened(service: Service) -> Door:
        service.counters.append(hooks.counts)
        if hooks.unsigned:
            service.log.warning("hooks.unsigned", webhook=", ".join(hooks.unsigned), count=len(hooks.unsigned))

        def counters() -> Mapping[str, float]:
            return {name: value for numbers in service.counters for name, value in numbers().items()}

        app = make_app(
            service.intake,
            service.store.reader,
            machine_time,
            zone=settings.timezone or declared.site.timezone or "UTC",
            log=service.log,
            counters=counters,
            hooks=hooks,
            fhir_servers=declared.site.fhir,
            fhir_connect=lambda server: FhirClient(server, machine_time),
        )
        return await listen(app, listening)

    return opened


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


def bind_webhooks(settings: ServeSettings, declared: Declared, _: ExitStack) -> Opening:
    """Tell subscribers of alerts."""
    assert settings.webhooks is not None  # noqa: S101 - asked for, or it were not bound
    webhooks = read_webhooks(settings.webhooks, {threshold.id for threshold in declared.thresholds.thresholds})
    unknown = check_hosts(webhooks, look_up)

    async def opened(service: Service) -> Door:
        for name in unknown:  # it may be known by the first alert; a network that is down stops no start
            service.log.warning("webhook.unknown_host", webhook=name)
        counts = WebhookCounts()
        service.counters.append(counts.numbers)
        return await deliver(
            webhooks, service.intake, service.store.reader, machine_time, log=service.log, counts=counts
        )

    return opened
