"""``relay dev carrier``: the simulated carrier as a server of its own; an agent answers every number and talks."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from relay.dev.carrier import SimulatedCarrier
from relay.dev.carrier_outcomes import Answers, Outcome
from relay.dev.carriers.asterisk import Asterisk
from relay.dev.carriers.by_name import CARRIERS
from relay.dev.phone_source import repeated
from relay.dev.serving import serve_until_signal
from relay.dev.speech import speech

SPEECH_S: Final = 20.0
RELAY_URL: Final = "http://127.0.0.1:8080"
NUMBER: Final = "+15550100000"


def run(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 is any free one.")] = 8091,
    answer_after_s: Annotated[float, typer.Option(min=0.0, help="How long it rings before the agent answers.")] = 2.0,
    carrier: Annotated[str, typer.Option(help=f"Which it is: {', '.join(CARRIERS)}.")] = "twilio",
    relay_url: Annotated[str, typer.Option(help="Where relay is: of Asterisk's own configuration.")] = RELAY_URL,
) -> None:
    """Run the simulated carrier until SIGINT or SIGTERM."""
    agent = Answers(after_s=answer_after_s, says=repeated(speech(SPEECH_S)))
    if carrier not in CARRIERS:
        raise typer.BadParameter(f"expected one of {', '.join(CARRIERS)}, got {carrier!r}", param_hint="--carrier")
    dialect = CARRIERS[carrier]()
    if isinstance(dialect, Asterisk):
        dialect.relay_url = relay_url
    simulated = SimulatedCarrier(dialect=dialect, script=Outcome(callee=agent), host=host, port=port)
    serve_until_signal(simulated, _announcement, where=f"{host}:{port}")


def _announcement(carrier: SimulatedCarrier) -> str:
    account = f"account SID {carrier.account_sid}, auth token {carrier.auth_token}"
    if carrier.dialect.name != "twilio":
        settings = carrier.dialect.settings(carrier.api_url, NUMBER)
        account = ", ".join(f"{name}={value}" for name, value in settings.items()).replace("\n", "\\n")
    return f"Simulated carrier (stands in for {carrier.dialect.title}): {carrier.api_url}, {account}"
