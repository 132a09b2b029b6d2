"""What the benchmark prints, and its figures for machines."""

import json
import sys

table = sys.stdout  # where the table goes; standard error when the figures go to standard output
ROW = "{:<33} {:<8} {:>6} {:>12} {:>12} {:>11} {:>11}"


def say(text):
    print(text, file=table, flush=True)


def heading(text):
    say(text)
    say(ROW.format("cell", "peer", "ratio", "quartiles", "starts", "ours, Mpps", "peer, Mpps"))


def mpps(rate):
    return f"{rate / 1e6:.2f}"


def span(low, high):
    return f"{low:.2f}-{high:.2f}"


def line(cell, peer, result):
    say(ROW.format(cell.name, peer, f"{result.median:.2f}", span(result.low, result.high),
                   span(min(result.medians), max(result.medians)),
                   mpps(result.typical(0)), mpps(result.typical(1))) +
        ("" if result.is_steady() else "  unsteady"))


def failure(cell, peer, error):
    say(f"{cell.name:<33} {peer:<8} {error}")


def left_out(missing):
    for peer, why in missing.items():
        say(f"left out: {peer}: {why}")


def write_json(path, settings, found, missing):
    """found: [(cell, peer, Result)]."""
    document = {
        "settings": settings,
        "left_out": missing,
        "results": [
            {
                "cell": cell.name,
                "peer": peer,
                "ratio": result.median,
                "quartiles": [result.low, result.high],
                "steady": result.is_steady(),
                "ours_pps": result.typical(0),
                "peer_pps": result.typical(1),
                "ratio_of_each_start": result.medians,
                "turns_pps_of_each_start": [
                    {"ours": ours, "peer": theirs} for ours, theirs in result.runs],
            }
            for cell, peer, result in found
        ],
    }
    with (sys.stdout if path == "-" else open(path, "w", encoding="utf-8")) as file:
        json.dump(document, file, indent=1)
        file.write("\n")
