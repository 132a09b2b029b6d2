#!/usr/bin/python3
"""The VM's end of vm.py: starts processes for the host and passes on what they say.

usage: agent.py DEVICE

Both ways one JSON object a line. Requests carry an id, and all that comes of them carries it too:
  {"id", "op": "start", "argv", "env", "stdin"}   → started, output…, exit; or failed
  {"id", "op": "input", "data"}                   to its stdin; null closes it
  {"id", "op": "signal", "number"}                to the process
  {"id", "op": "request", "endpoint", "body", "timeout"}   one ZeroMQ exchange, base64 → answer
Unasked: {"event": "ready"} whenever the agent starts.
"""

import base64
import json
import os
import subprocess
import sys
import threading


class Agent:
    def __init__(self, path):
        self.port = os.open(path, os.O_RDWR)
        self.lock = threading.Lock()
        self.processes = {}
        self.context = None

    def say(self, **event):
        data = json.dumps(event).encode() + b"\n"
        with self.lock:
            while data:
                data = data[os.write(self.port, data) :]

    def serve(self):
        self.say(event="ready")
        buffer = b""
        while True:
            data = os.read(self.port, 65536)
            if not data:
                return
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                try:
                    getattr(self, "op_" + request["op"])(request)
                except (OSError, ValueError, KeyError) as error:
                    self.say(id=request["id"], event="failed", why=str(error))

    # --- requests --------------------------------------------------------------------------

    def op_start(self, request):
        process = subprocess.Popen(
            request["argv"],
            stdin=subprocess.PIPE if request["stdin"] else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **request["env"]},
            cwd="/",
            start_new_session=True,
        )
        self.processes[request["id"]] = process
        self.say(id=request["id"], event="started", pid=process.pid)
        threading.Thread(target=self.attend, args=(request["id"], process), daemon=True).start()

    def attend(self, id_, process):
        """Until the process has ended. What it left behind may hold its pipes for longer, which
        nobody waits for."""
        pumps = [
            threading.Thread(target=self.pump, args=(id_, name, stream), daemon=True)
            for name, stream in (("out", process.stdout), ("err", process.stderr))
        ]
        for thread in pumps:
            thread.start()
        status = process.wait()
        for thread in pumps:
            thread.join(1)
        del self.processes[id_]
        if process.stdin:
            try:
                process.stdin.close()
            except BrokenPipeError:
                pass
        self.say(id=id_, event="exit", status=status)

    def pump(self, id_, name, stream):
        while True:
            data = os.read(stream.fileno(), 65536)
            if not data:
                stream.close()
                return
            self.say(id=id_, event="output", stream=name, data=data.decode(errors="replace"))

    def op_input(self, request):
        process = self.processes.get(request["id"])
        if process is None:
            return
        try:
            if request["data"] is None:
                process.stdin.close()
            else:
                process.stdin.write(request["data"].encode())
                process.stdin.flush()
        except BrokenPipeError:
            pass

    def op_signal(self, request):
        process = self.processes.get(request["id"])
        if process is not None:
            process.send_signal(request["number"])

    def op_request(self, request):
        threading.Thread(target=self.exchange, args=(request,), daemon=True).start()

    def exchange(self, request):
        import zmq

        with self.lock:
            self.context = self.context or zmq.Context()
        socket = self.context.socket(zmq.REQ)
        socket.linger = 0
        try:
            socket.connect(request["endpoint"])
            socket.send(base64.b64decode(request["body"]))
            if not socket.poll(int(request["timeout"] * 1000)):
                raise TimeoutError(f"no answer from {request['endpoint']}")
            body = base64.b64encode(socket.recv()).decode()
            self.say(id=request["id"], event="answer", body=body)
        except (OSError, zmq.ZMQError) as error:
            self.say(id=request["id"], event="failed", why=str(error))
        finally:
            socket.close()


if __name__ == "__main__":
    Agent(sys.argv[1]).serve()
