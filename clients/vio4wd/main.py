"""vio4wdctl's beginning and end: the command line, the command, the exit status."""

import sys

import virtioforwarder_client as client

from . import health, options, output


def main():
    parser = options.make_parser()
    options.complete(parser)  # ends here when it is a shell that asks
    if "health" in sys.argv[1:]:
        parser.wrong = health.UNKNOWN
    args = parser.parse_args()
    try:
        return args.run(args)
    except client.ClientError as error:
        if args.run is not options.HEALTH:
            raise
        # For monitoring: nothing is known, and the line says why.
        verdict = health.unknown(health.UNKNOWN, str(error))
        print(output.as_json(verdict) if args.json else health.line(verdict))
        return health.UNKNOWN


def run():
    sys.stdout.reconfigure(errors="replace")
    client.run(main)
