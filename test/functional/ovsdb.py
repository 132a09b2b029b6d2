"""Open vSwitch's database for tests: Debian's ovsdb-server with a database and a socket of its own,
and a server that answers whatever a test wants."""

import json
import os
import socket
import subprocess
import threading

import patience
from patience import ROOT, wait_for

# Where scripts/install-build-deps unpacks what it does not install.
PACKAGES = os.path.join(ROOT, "build", "packages")


def find(name, path):
    """A program or a file of Open vSwitch, installed or unpacked."""
    for candidate in (path, PACKAGES + path):
        if os.path.exists(candidate):
            return candidate
    raise FileNotFoundError(f"{name} is missing: run scripts/install-build-deps --test")


class Ovsdb:
    """ovsdb-server on a database with Open vSwitch's schema. No switch: --no-wait everywhere."""

    def __init__(self, directory):
        self.dir = directory
        self.socket = os.path.join(directory, "db.sock")
        self.database = os.path.join(directory, "conf.db")
        self.process = None
        self.vsctl_path = find("ovs-vsctl", "/usr/bin/ovs-vsctl")
        schema = find("vswitch.ovsschema", "/usr/share/openvswitch/vswitch.ovsschema")
        subprocess.run(["ovsdb-tool", "create", self.database, schema], check=True)

    def start(self):
        with open(os.path.join(self.dir, "ovsdb-server.log"), "ab") as log:
            self.process = subprocess.Popen(
                [
                    "ovsdb-server",
                    self.database,
                    f"--remote=punix:{self.socket}",
                    f"--unixctl={self.dir}/ovsdb.ctl",
                    "--no-chdir",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OVS_RUNDIR": self.dir},
            )
        wait_for(self.listens, 10.0, "ovsdb-server listens")
        return self

    def listens(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(self.socket) == 0

    def init(self):
        """start(), and a bridge to put ports on."""
        self.start()
        self.vsctl("init")
        self.vsctl("add-br", "br0")
        return self

    def stop(self):
        self.process.terminate()
        patience.reap(self.process, 10)
        self.process = None

    def cleanup(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def vsctl(self, *words):
        done = subprocess.run(
            [self.vsctl_path, f"--db=unix:{self.socket}", "--no-wait", "--timeout=60", *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def add(self, port, relay, device=None, key="virtio_forwarder"):
        """A port whose row asks for the relay."""
        options = [f'options:dpdk-devargs="{device}"'] if device else []
        ids = f"external_ids:{key}={relay}"
        self.vsctl("add-port", "br0", port, "--", "set", "Interface", port, ids, *options)

    def set(self, port, *columns):
        self.vsctl("set", "Interface", port, *columns)

    def remove(self, port):
        self.vsctl("del-port", "br0", port)


class FakeServer:
    """Takes connections one at a time and hands each to `serve(connection)`, on a thread. Counts
    them."""

    def __init__(self, path, serve):
        self.path = path
        self.connections = 0
        self.connection = None
        self.serve = serve
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(path)
        self.listener.listen(8)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connection = connection
            self.connections += 1
            with connection:
                connection.settimeout(120)  # longer than the daemon has patience
                try:
                    self.serve(connection)
                except OSError:
                    pass  # the daemon hung up: as it should, mostly

    def cleanup(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        if self.connection is not None and self.connection.fileno() >= 0:
            self.connection.shutdown(socket.SHUT_RDWR)
        self.thread.join(15)
        if os.path.exists(self.path):
            os.unlink(self.path)


def table(rows, message_id=1):
    """The answer to a monitor request; rows is {uuid: (name, options, external_ids)}."""
    interface = {
        uuid: {
            "new": {
                "name": name,
                "options": ["map", [list(pair) for pair in options.items()]],
                "external_ids": ["map", [list(pair) for pair in external_ids.items()]],
            }
        }
        for uuid, (name, options, external_ids) in rows.items()
    }
    answer = {"id": message_id, "error": None, "result": {"Interface": interface}}
    return json.dumps(answer).encode()
