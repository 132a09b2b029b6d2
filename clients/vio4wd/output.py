"""How things look in a terminal: colours, tables, figures with units. Prints nothing by itself."""

import json
import os
import re
import sys

_CODES = {"error": "31;1", "warning": "33", "note": "36", "good": "32", "bold": "1", "dim": "2"}
_ESCAPE = re.compile("\033\\[[0-9;]*m")
# What may not get to a terminal as it is: texts come from the daemon, and some from guests' sockets.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def colourful(stream=None):
    """On a terminal, unless the user wants none (NO_COLOR) or it can show none."""
    stream = stream or sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text, kind):
    return f"\033[{_CODES[kind]}m{text}\033[0m" if kind and colourful() else text


def plain(text):
    """Text of others' without control characters."""
    return _CONTROL.sub("?", str(text))


def as_json(value, one_line=False):
    return json.dumps(value, ensure_ascii=False, indent=None if one_line else 2)


def quantity(value, unit=""):
    """Three digits and a prefix: 12.3k, or 12.3 kbit/s."""
    for prefix in ("", "k", "M", "G", "T"):
        if value < 999.5 or prefix == "T":
            digits = 0 if value >= 99.5 or value == int(value) else 1
            return f"{value:.{digits}f}{' ' if unit else ''}{prefix}{unit}"
        value /= 1000
    return ""


def percent(share):
    return "-" if share is None else f"{100 * share:.0f} %"


def _width(text):
    return len(_ESCAPE.sub("", text))


def table(rows, right=()):
    """Lines of rows of texts, the first one the heading; the columns of those numbers stand to the right."""
    widths = [max(_width(row[i]) for row in rows) for i in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = []
        for i, text in enumerate(row):
            gap = " " * (widths[i] - _width(text))
            cells.append(gap + text if i in right else text + gap)
        line = "  ".join(cells).rstrip()
        yield coloured(line, "bold") if number == 0 else line


def heading(finding):
    severity = coloured(finding["severity"] + ":", finding["severity"])
    return f"{severity} {plain(finding['what'])} [{finding['id']}]"


def finding_lines(finding):
    """What is wrong, the proof and the remedy, a line each."""
    yield heading(finding)
    proofs = []
    for proof in finding["proof"]:
        more = f" (+{proof['recent']} while looking)" if proof["recent"] is not None else ""
        proofs.append(f"{proof['name']}={plain(proof['value'])}{more}")
    if proofs:
        yield f"    proof:  {', '.join(proofs)}"
    yield f"    remedy: {plain(finding['remedy'])}"
