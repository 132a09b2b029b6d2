"""Which relay is meant: by its id, its socket or interface, its device or a MAC address. Pure functions."""

import re

import virtioforwarder_client as client

RELAYS = 64


def _interface(relay):
    """The kernel's, where that is at the far end."""
    return (relay.get("kernel") or {}).get("interface")


def names_of(relay):
    """All that a relay goes by, in lower case."""
    device, socket, vf = relay["device"], relay["socket"], relay["vf"] or {}
    names = [str(relay["id"]), socket, socket and socket.rpartition("/")[2], device]
    names += [member["device"] for member in vf.get("members", ())]
    names += [vf.get("mac"), relay["guest"]["mac"], _interface(relay)]
    found = {name.lower() for name in names if name}
    return found | {name.removeprefix("0000:") for name in found}


def number(text):
    """The id that a text is, None if it is none. Out of range is an error: it names no relay for sure."""
    if not re.fullmatch("[0-9]{1,9}", text):
        return None
    if int(text) >= RELAYS:
        raise client.ClientError(f"there is no relay {text}: ids are 0 to {RELAYS - 1}")
    return int(text)


def find(relays, text):
    """The relay that is named so; an error where none or several are."""
    number(text)
    found = [relay for relay in relays if text.lower() in names_of(relay)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(str(relay["id"]) for relay in found)
        raise client.ClientError(f"'{text}' may be any of the relays {ids}: name one by its id")
    known = [f"{relay['id']} ({relay['device']})" for relay in relays if relay["device"]]
    raise client.ClientError(
        f"no relay is named '{text}'. A relay goes by its id, its socket or interface, the PCI address or name "
        f"of its device, or the MAC address of either end; "
        f"{'devices have ' + ', '.join(known) if known else 'no relay has a device yet'}"
    )


def common_names(relays):
    """What completion offers: ids, devices, sockets and addresses of the relays given."""
    for relay in relays:
        yield str(relay["id"])
        vf = relay["vf"] or {}
        for name in (relay["device"], relay["socket"], vf.get("mac"), relay["guest"]["mac"],
                     _interface(relay)):
            if name:
                yield name
