"""Requests to a running daemon, over the endpoints that the command line names. Each answer is a message
as the daemon sent it; a refusal is a ClientError that says why and what would work."""

import virtioforwarder_client as client
import virtioforwarder_workers as workers

# The services, by the name of the option that says where each one listens.
SERVICES = {
    "stats": "stats_ep",
    "port_control": "port_control_ep",
    "config": "config_ep",
    "core_sched": "core_sched_ep",
    "events": "events_ep",
}
# What switches an endpoint on that does not answer.
SWITCHES = {
    "stats": "--zmq-stats-ep (VIRTIOFWD_ZMQ_STATS_EP)",
    "port_control": "--zmq-port-control-ep (VIRTIOFWD_ZMQ_PORT_CONTROL_EP)",
    "config": "--zmq-config-ep (VIRTIOFWD_ZMQ_CONFIG_EP)",
    "core_sched": "--zmq-core-sched-ep (VIRTIOFWD_ZMQ_CORE_SCHED_EP)",
    "events": "--zmq-events-ep (VIRTIOFWD_ZMQ_EVENTS_EP)",
}


class Daemon:
    """The services of one daemon. timeout_s is for those who cannot wait the usual time."""

    def __init__(self, args, timeout_s=client.TIMEOUT_S):
        self.args = args
        self.timeout_s = timeout_s
        self.messages = client.load_messages()

    def endpoint(self, service):
        """Where a service listens: what the command line says, else its place in the run directory."""
        given = getattr(self.args, SERVICES[service])
        return given or f"ipc://{self.args.run_dir}/{service}"

    def _ask(self, service, request, answer_type, more_s=0.0):
        """The answer's message, whatever it says."""
        endpoint = self.endpoint(service)
        try:
            body = client.exchange(self.args, endpoint, request, self.timeout_s + more_s)
        except client.NoAnswer as error:
            raise client.NoAnswer(f"{error} (the daemon's option {SWITCHES[service]})") from None
        return client.parse(answer_type, body)

    def stats(self, relays=(), delay_ms=0):
        """The StatsResponse of these relays, or of all; rates over that many ms from now on, or those of the
        last second."""
        request = self.messages.StatsRequest(relay=relays, include_inactive=True, delay=delay_ms)
        response = self._ask("stats", request, self.messages.StatsResponse, delay_ms / 1000)
        if response.status != self.messages.StatsResponse.OK:
            raise client.ClientError(f"the statistics are refused: {response.error_text}")
        return response

    def config(self):
        response = self._ask("config", self.messages.ConfigRequest(), self.messages.ConfigResponse)
        if response.status != self.messages.ConfigResponse.OK:
            raise client.ClientError(f"the configuration is refused: {response.error_text}")
        return response

    def settings(self, **changes):
        """What can be changed while the daemon runs, as it is then: fields of ConfigRequest's are changed."""
        request = self.messages.ConfigRequest(tell_settings=True, **changes)
        response = self._ask("config", request, self.messages.ConfigResponse)
        if response.status != self.messages.ConfigResponse.OK:
            raise client.ClientError(response.error_text or "the daemon refuses, and does not say why")
        if not response.HasField("settings"):
            raise client.ClientError("this daemon is older, and has no settings to change while it runs")
        return response.settings

    def events(self, count):
        """The last Event messages that the daemon keeps, at most so many."""
        response = self._ask("config", self.messages.ConfigRequest(events=count), self.messages.ConfigResponse)
        if response.status != self.messages.ConfigResponse.OK:
            raise client.ClientError(response.error_text or "the daemon refuses, and does not say why")
        return list(response.event)

    def _sched(self, request):
        response = self._ask("core_sched", request, self.messages.CoreSchedResponse)
        if response.status != self.messages.CoreSchedResponse.OK:
            raise client.ClientError(response.error_text or "the daemon refuses, and does not say why")
        return response

    def pins(self):
        """The CoreSchedResponse with the workers and what is pinned to them."""
        op = self.messages.CoreSchedRequest.GET_EAL_CORES
        return self._sched(self.messages.CoreSchedRequest(op=op))

    def explain(self):
        """The balancer's dry run, as lines of text."""
        op = self.messages.CoreSchedRequest.EXPLAIN
        return list(self._sched(self.messages.CoreSchedRequest(op=op)).explanation)

    def pin(self, relay, vf_to_vm, vm_to_vf):
        """CPUs by lcore; workers.UNPINNED releases a direction."""
        request = self.messages.CoreSchedRequest(op=self.messages.CoreSchedRequest.UPDATE)
        request.relay_cpu_map.add(relay_number=relay, vf2virtio_cpu=vf_to_vm, virtio2vf_cpu=vm_to_vf)
        self._sched(request)

    def control(self, op, **fields):
        """Changes what is attached: op is a name of PortControlRequest.Op's."""
        request = self.messages.PortControlRequest(op=op, **fields)
        response = self._ask("port_control", request, self.messages.PortControlResponse)
        if response.status != self.messages.PortControlResponse.OK:
            why = response.error_text or "the daemon refuses, and does not say why"
            if "use ADD_SOCK" in why:  # which is the wire's word for it
                why += " (add --socket=PATH DEVICE)"
            raise client.ClientError(why)


UNPINNED = workers.UNPINNED
