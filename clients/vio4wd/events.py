"""Events: what has happened to relays, as the daemon keeps the last ones and publishes each."""

import datetime
import sys

import virtioforwarder_client as client

from . import output

SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_COLOURS = {"err": "error", "crit": "error", "warning": "warning"}
_OWN = {"sequence", "time_us", "name", "severity", "text", "missed", "relay"}


def as_object(event):
    """An Event message as --json has it: what every event has, and the fields that this one has."""
    severity = SEVERITIES[event.severity] if event.severity < len(SEVERITIES) else str(event.severity)
    when = datetime.datetime.fromtimestamp(event.time_us / 1e6, datetime.timezone.utc)
    return {
        "sequence": event.sequence,
        "time": when.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "event": event.name,
        "severity": severity,
        "relay": event.relay if event.HasField("relay") else None,
        "text": event.text,
        "fields": {field.name: value for field, value in event.ListFields() if field.name not in _OWN},
    }


def line(found):
    """For people, in their own time."""
    when = datetime.datetime.fromisoformat(found["time"].replace("Z", "+00:00")).astimezone()
    name = output.coloured(f"{found['event']:<17}", _COLOURS.get(found["severity"]))
    return f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03} {name} {output.plain(found['text'])}"


class Sequence:
    """Says on the standard error output where events are missing."""

    def __init__(self):
        self.last = None

    def look(self, found):
        now, before = found["sequence"], self.last
        self.last = now
        if before is None or now == before + 1:
            return
        what = "the daemon was restarted" if now <= before else f"{now - before - 1} events were missed"
        print(f"vio4wdctl: {what}", file=sys.stderr, flush=True)


def follow(daemon, wanted, show):
    """Calls show with each event that wanted (a function of the object) takes, until it is interrupted."""
    sequence = Sequence()
    with client.Subscription(daemon.args, daemon.endpoint("events"), daemon.timeout_s) as subscription:
        while True:
            frames = subscription.receive()
            if len(frames) != 2:
                raise client.ClientError("what is published there are no events")
            found = as_object(client.parse(daemon.messages.Event, frames[1]))
            sequence.look(found)
            if wanted(found):
                show(found)
