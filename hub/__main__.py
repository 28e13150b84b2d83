"""The command `pxhub`. Exit codes: 0 done, 1 the answer is no, 2 wrong use, 75 try again."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from hub import __version__
from schemas.errors import StoreFailed, StoreFull, TryAgain, WrongUse

WRONG_USE = 2
TRY_AGAIN = 75
_COMMANDS = {
    "replay": ("hub.cli.replay", "replay_command", "Files in, explained alerts out."),
    "thresholds": ("hub.cli.thresholds", "thresholds_app", "Check, explain, test and list thresholds."),
    "hl7": ("hub.cli.hl7", "hl7_app", "Look into HL7 v2 messages."),
    "fhir": ("hub.cli.fhir", "fhir_app", "Ask FHIR servers: what changed, or an export of it all."),
    "simulate": ("hub.cli.simulate", "simulate", "Write a simulated clinic's messages."),
    "demo": ("hub.cli.demo", "demo", "A simulated week replayed: alerts, one explained, the bottleneck."),
    "bench": ("hub.cli.bench", "bench_app", "Measure speed and memory."),
    "serve": ("hub.cli.serve", "serve", "Take messages, acknowledge what is durable, raise alerts as they are due."),
    "alerts": ("hub.cli.alerts", "alerts_app", "The alerts of a store."),
    "waits": ("hub.cli.alerts", "waits_app", "What runs in a store."),
    "journeys": ("hub.cli.alerts", "journeys_app", "A person's journeys."),
    "identity": ("hub.cli.identity", "identity_app", "Whose a contact is: why, undone, and by other rules."),
    "events": ("hub.cli.store", "events_app", "The events of a store."),
    "dead-letters": ("hub.cli.store", "letters_app", "What could not be taken."),
    "comments": ("hub.cli.comments", "comments_app", "What patients said in their own words."),
    "store": ("hub.cli.store", "store_app", "Look after a store."),
    "work": ("hub.cli.work", "work_command", "A worker of the hub in Kafka: identify, correlate, measure."),
    "load": ("hub.cli.load", "load_command", "Files into the hub in Kafka."),
    "topics": ("hub.cli.topics", "topics_app", "The topics in Kafka: plan, make, check."),
    "redis": ("hub.cli.redis", "redis_app", "What Redis holds for a hub in Kafka, made anew."),
    "doctor": ("hub.cli.doctor", "doctor", "Say whether this machine has what the hub needs."),
}


class _Lazy(TyperGroup):
    """A group whose commands are imported when they are called: `pxhub --version` need not load them all."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the group's contract
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the group's contract
        if cmd_name not in _COMMANDS:
            return None
        module, attribute, help_ = _COMMANDS[cmd_name]
        found = getattr(importlib.import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command = typer.main.get_command(found)
        else:
            single = typer.Typer(add_completion=False)
            single.command(name=cmd_name)(found)
            command = typer.main.get_command(single)
        command.name = cmd_name
        command.short_help = help_
        return command


app = typer.Typer(
    cls=_Lazy,
    name="pxhub",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="PX Hub: which promise to which patient is about to be broken, said in time.",
)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if value:
        typer.echo(f"pxhub {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Say the version."),  # noqa: FBT001
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; what the caller must mend is one sentence and exit code 2."""
    try:
        app(args=list(arguments) if arguments is not None else None, prog_name="pxhub")
    except (TryAgain, StoreFull) as busy:
        typer.echo(str(busy), err=True)
        sys.exit(TRY_AGAIN)
    except (WrongUse, StoreFailed) as wrong:
        typer.echo(str(wrong), err=True)
        sys.exit(WRONG_USE)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone; nobody is left to tell
        sys.exit(0)
    except OSError as wrong:  # a full disk under the output; what is read is told of where it is read
        typer.echo(f"the output cannot be written: {wrong.strerror}", err=True)
        sys.exit(TRY_AGAIN)


if __name__ == "__main__":
    main()
