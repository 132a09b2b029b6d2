"""What virtio-forwarder's scripts share: the messages, a request over ZeroMQ, PCI addresses.

The messages are the Python module that protoc makes of virtioforwarder.proto. It is looked for in
$VIRTIOFWD_PROTOBUF_PATH, beside the installed scripts (protobuf/), and in the build tree.
"""

import argparse
import os
import re
import stat
import sys

RUN_DIRECTORY = "/var/run/virtio-forwarder"
TIMEOUT_S = 2.0


class ClientError(Exception):
    """What ends a script with one line on stderr and status 1."""


class NoAnswer(ClientError):
    """The daemon has not answered in time."""


class Forbidden(ClientError):
    """An endpoint that this user may not use, whether somebody listens or not."""


def load_messages():
    """The module virtioforwarder_pb2."""
    here = os.path.dirname(os.path.realpath(__file__))
    places = [
        os.environ.get("VIRTIOFWD_PROTOBUF_PATH", ""),
        os.path.join(here, "protobuf"),
        os.path.join(here, "..", "build", "python"),
    ]
    for place in places:
        if place and os.path.exists(
            os.path.join(place, "virtioforwarder", "virtioforwarder_pb2.py")
        ):
            sys.path.insert(0, place)
            break
    try:
        from virtioforwarder import virtioforwarder_pb2
    except ImportError as error:
        raise ClientError(
            f"cannot load virtioforwarder_pb2: {error}; install python3-protobuf, run make in a "
            "source tree, or set VIRTIOFWD_PROTOBUF_PATH"
        ) from None
    except TypeError as error:  # the runtime refuses what another version has generated
        raise ClientError(
            f"virtioforwarder_pb2 and the protobuf runtime do not match: {error}".split("\n")[0]
        ) from None
    return virtioforwarder_pb2


# --- command line ---------------------------------------------------------------------------


def make_parser(description, epilog):
    """A parser of a script's options. Both texts are printed as they stand, and are the script's manual
    page as well: what they look like is told in scripts/make-man-page."""
    return argparse.ArgumentParser(
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_endpoint_option(parser, option, service):
    parser.add_argument(
        option,
        default=f"ipc://{RUN_DIRECTORY}/{service}",
        metavar="ENDPOINT",
        help="where the daemon listens; default: %(default)s",
    )


def add_test_options(parser):
    parser.add_argument(
        "--crash-after-send", action="store_true", help="test: go without waiting for the answer"
    )
    parser.add_argument(
        "--send-garbage", action="store_true", help="test: send what is no message"
    )


_PCI = re.compile(
    r"(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])", re.IGNORECASE
)


def pci_address(text):
    """(domain, bus, slot, function) of "0000:05:08.1" or "05:08.1", for argparse."""
    match = _PCI.fullmatch(text)
    numbers = [int(group or "0", 16) for group in match.groups()] if match else []
    if not match or numbers[2] > 0x1F:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not a PCI address such as 0000:05:08.1 or 05:08.1"
        )
    return tuple(numbers)


def number(text):
    """A number that fits the messages' uint32, for argparse."""
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > 0xFFFFFFFF:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number from 0 to 4294967295")
    return int(text)


def add_curve_options(parser):
    group = parser.add_argument_group("encryption, for a daemon with --zmq-curve-dir")
    group.add_argument(
        "--curve-key", metavar="FILE", help="file that holds this client's secret key (Z85)"
    )
    group.add_argument(
        "--curve-server-key", metavar="KEY", help="the daemon's public key (Z85, 40 characters)"
    )


# --- requests -------------------------------------------------------------------------------


def _curve_apply(zmq, socket, args):
    if args.curve_key is None and args.curve_server_key is None:
        return
    if args.curve_key is None or args.curve_server_key is None:
        raise ClientError("--curve-key and --curve-server-key are wanted together")
    try:
        with open(args.curve_key, encoding="ascii") as file:
            secret = file.read().strip().encode("ascii")
        socket.curve_secretkey = secret
        socket.curve_publickey = zmq.curve_public(secret)
    except OSError as error:
        raise ClientError(f"--curve-key {args.curve_key}: {error.strerror}") from None
    except (ValueError, zmq.ZMQError):
        raise ClientError(
            f"--curve-key {args.curve_key}: 40 characters of Z85 text are wanted"
        ) from None
    try:
        socket.curve_serverkey = args.curve_server_key.encode("ascii")
    except (ValueError, zmq.ZMQError):
        raise ClientError("--curve-server-key: 40 characters of Z85 text are wanted") from None


_NO_PERMISSION = "you have no permission to use it"


def _silence_explain(endpoint):
    """Why there may be no answer: ZeroMQ itself waits for ever without a word."""
    path = endpoint[len("ipc://") :] if endpoint.startswith("ipc://") else None
    try:
        if path and not stat.S_ISSOCK(os.stat(path).st_mode):
            return f"{path} is not a socket"
    except PermissionError:
        return _NO_PERMISSION
    except OSError:
        return "there is no such endpoint: is virtio-forwarder running, with this endpoint on?"
    if path and not os.access(path, os.W_OK):
        return _NO_PERMISSION
    return "is virtio-forwarder running, with this endpoint on?"


def exchange(args, endpoint, body, timeout_s=TIMEOUT_S, wait=True):
    """Sends one request, bytes or a message, and returns the answer's bytes. With wait off it
    returns None as soon as the request has left."""
    try:
        import zmq
    except ImportError as error:
        raise ClientError(f"cannot load zmq: {error}; install python3-zmq") from None

    context = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.linger = 0
    try:
        _curve_apply(zmq, socket, args)
        socket.ipv6 = "[" in endpoint
        socket.connect(endpoint)
        socket.send(body if isinstance(body, bytes) else body.SerializeToString())
        if not wait:
            socket.linger = int(timeout_s * 1000)
            return None
        if not socket.poll(int(timeout_s * 1000)):
            why = _silence_explain(endpoint)
            kind = Forbidden if why == _NO_PERMISSION else NoAnswer
            raise kind(f"no answer from {endpoint} within {timeout_s:g} s: {why}")
        return socket.recv()
    except zmq.ZMQError as error:
        raise ClientError(f"{endpoint}: {error}") from None
    finally:
        socket.close()
        context.term()


class Subscription:
    """To all that an endpoint publishes: a context manager, which has connected when it is entered."""

    def __init__(self, args, endpoint, timeout_s=TIMEOUT_S):
        try:
            import zmq
        except ImportError as error:
            raise ClientError(f"cannot load zmq: {error}; install python3-zmq") from None
        self._zmq = zmq
        self._args, self._endpoint, self._timeout_s = args, endpoint, timeout_s
        self._context = self._socket = None

    def __enter__(self):
        zmq = self._zmq
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.linger = 0
        try:
            _curve_apply(zmq, self._socket, self._args)
            self._socket.ipv6 = "[" in self._endpoint
            self._socket.subscribe(b"")
            if not self._connect():
                why = _silence_explain(self._endpoint)
                kind = Forbidden if why == _NO_PERMISSION else NoAnswer
                raise kind(f"no answer from {self._endpoint} within {self._timeout_s:g} s: {why}")
        except zmq.ZMQError as error:
            self.__exit__()
            raise ClientError(f"{self._endpoint}: {error}") from None
        except ClientError:
            self.__exit__()
            raise
        return self

    def _connect(self):
        """Whether it has in time: ZeroMQ itself goes on trying, and does not say."""
        monitor = self._socket.get_monitor_socket(self._zmq.EVENT_HANDSHAKE_SUCCEEDED)
        try:
            self._socket.connect(self._endpoint)
            return monitor.poll(int(self._timeout_s * 1000))
        finally:
            self._socket.disable_monitor()
            monitor.close(0)

    def __exit__(self, *_):
        self._socket.close()
        self._context.term()

    def receive(self):
        """The frames of the next message, whenever that comes."""
        return self._socket.recv_multipart()


def garbage():
    """Bytes that are no message at all: no field has wire type 7."""
    return b"\xff" + os.urandom(63)


def parse(message_type, body):
    """The message that an answer's bytes are."""
    from google.protobuf.message import DecodeError

    try:
        return message_type.FromString(body)
    except DecodeError as error:
        raise ClientError(f"the answer is no {message_type.__name__}: {error}") from None


def show(message):
    """Prints a message in protobuf's text format, but for the apostrophes in its texts: between double
    quotes the format admits them as they are, and people read them."""
    import re

    print(re.sub(r"\\(.)", lambda m: "'" if m[1] == "'" else m[0], str(message)), end="")


def run(main):
    """Runs main() and exits with what it returns."""
    try:
        status = main()
        sys.stdout.flush()
    except ClientError as error:
        print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
        status = 1
    except BrokenPipeError:  # whoever read our output has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
