/* A made-up control, the rpc layer on top of it and a ZeroMQ client, all in one thread, for the
 * tests of the rpc layer.
 *
 * WRAP: control_add_vf control_remove_vf control_dynamic_sockets control_relay_read
 * WRAP: control_relay_rates control_rates_between control_add_sock control_remove_sock
 * WRAP: control_lanes_read control_queues_read control_worker_count control_worker_read
 * WRAP: control_cycles_per_s
 */
#ifndef RPC_RIG_H
#define RPC_RIG_H

#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "base/log.h"
#include "config/config.h"
#include "rpc/port_control.h"
#include "rpc/rpc.h"
#include "rpc/stats.h"
#include "rpc/transport/endpoint.h"

/* --- a made-up control ------------------------------------------------------------------- */

#define PARKED_MAX (ENDPOINT_REPLIES_MAX + 8)

static struct {
	bool dynamic_sockets;
	bool park; /* keep requests, to answer them later */
	struct outcome outcome;
	struct vf_request request;        /* the last one */
	struct sock_request sock_request; /* likewise */
	char sock_path[256];
	unsigned n_adds, n_removes, n_sock_adds, n_sock_removes, n_parked;
	struct {
		outcome_fn done;
		void *context;
	} parked[PARKED_MAX];
	struct control_relay relays[RELAYS_MAX];
} fake;

void fake_request(const struct vf_request *request, outcome_fn done, void *context)
{
	fake.request = *request;
	if (!fake.park) {
		done(context, &fake.outcome);
		return;
	}
	ck_assert_uint_lt(fake.n_parked, PARKED_MAX);
	fake.parked[fake.n_parked].done = done;
	fake.parked[fake.n_parked++].context = context;
}

void fake_answer_parked(void)
{
	for (unsigned i = 0; i < fake.n_parked; i++)
		fake.parked[i].done(fake.parked[i].context, &fake.outcome);
	fake.n_parked = 0;
}

void __wrap_control_add_vf(struct control *control, const struct vf_request *request,
                           outcome_fn done, void *context)
{
	(void)control;
	fake.n_adds++;
	fake_request(request, done, context);
}

void __wrap_control_remove_vf(struct control *control, const struct vf_request *request,
                              outcome_fn done, void *context)
{
	(void)control;
	fake.n_removes++;
	fake_request(request, done, context);
}

void fake_sock_request(const struct sock_request *request, outcome_fn done, void *context)
{
	fake.sock_request = *request;
	snprintf(fake.sock_path, sizeof(fake.sock_path), "%s",
	         request->path != NULL ? request->path : "-");
	done(context, &fake.outcome);
}

void __wrap_control_add_sock(struct control *control, const struct sock_request *request,
                             outcome_fn done, void *context)
{
	(void)control;
	fake.n_sock_adds++;
	fake_sock_request(request, done, context);
}

void __wrap_control_remove_sock(struct control *control, const struct sock_request *request,
                                outcome_fn done, void *context)
{
	(void)control;
	fake.n_sock_removes++;
	fake_sock_request(request, done, context);
}

bool __wrap_control_dynamic_sockets(const struct control *control)
{
	(void)control;
	return fake.dynamic_sockets;
}

void __wrap_control_relay_read(const struct control *control, unsigned relay_id,
                               struct control_relay *out)
{
	(void)control;
	ck_assert_uint_lt(relay_id, RELAYS_MAX);
	*out = fake.relays[relay_id];
}

void __wrap_control_relay_rates(const struct control *control, unsigned relay_id,
                                struct control_rates *vf_to_vm, struct control_rates *vm_to_vf)
{
	(void)control;
	*vf_to_vm = (struct control_rates){.rx_pkts = 1000.0f + (float)relay_id};
	*vm_to_vf = (struct control_rates){0};
}

void __wrap_control_rates_between(const struct lane_counters *before,
                                  const struct lane_counters *after, double elapsed_s,
                                  struct control_rates *out)
{
	ck_assert_double_gt(elapsed_s, 0);
	*out = (struct control_rates){
	        .rx_pkts = (float)((double)(after->rx_pkts - before->rx_pkts) / elapsed_s)};
}

unsigned __wrap_control_lanes_read(const struct control *control, unsigned relay_id,
                                   struct control_lane out[CONTROL_LANES_MAX])
{
	(void)control;
	out[0] = (struct control_lane){.to_vm = true, .cpu = 2, .pkts = relay_id};
	return relay_id % 2; /* odd ones have a lane */
}

unsigned __wrap_control_queues_read(const struct control *control, unsigned relay_id,
                                    struct control_queue out[CONTROL_QUEUES_MAX])
{
	(void)control;
	out[0] = (struct control_queue){.to_vm = true, .size = 256, .calls = relay_id};
	return relay_id % 2; /* odd ones have a guest */
}

unsigned __wrap_control_worker_count(const struct control *control)
{
	(void)control;
	return 2;
}

void __wrap_control_worker_read(const struct control *control, unsigned index,
                                struct control_worker *out)
{
	(void)control;
	*out = (struct control_worker){.cpu = 2 + index, .busy = 0.5f};
}

uint64_t __wrap_control_cycles_per_s(const struct control *control)
{
	(void)control;
	return 2500000000;
}

/* --- the set-up -------------------------------------------------------------------------- */

static struct {
	char directory[32];
	char port_control_ep[64], stats_ep[64];
	struct loop *loop;
	struct config config;
	struct rpc *rpc;
	void *zmq;
	void *socket; /* the client's, a DEALER */
} rig;

void rig_up(void)
{
	struct error err = {0};

	log_open(LOG_TO_STDOUT, LOG_ERR, "test");
	memset(&fake, 0, sizeof(fake));
	for (unsigned id = 0; id < RELAYS_MAX; id++) {
		fake.relays[id].id = id;
		fake.relays[id].vhost_socket = "NONE";
		fake.relays[id].vf_to_vm.state = CONTROL_NONE;
		fake.relays[id].vm_to_vf.state = CONTROL_NONE;
	}
	snprintf(rig.directory, sizeof(rig.directory), "/tmp/vf-rpc-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(rig.directory));
	snprintf(rig.port_control_ep, sizeof(rig.port_control_ep), "ipc://%s/run/port_control",
	         rig.directory);
	snprintf(rig.stats_ep, sizeof(rig.stats_ep), "ipc://%s/run/stats", rig.directory);
	rig.config.zmq_port_control_ep = rig.port_control_ep;
	rig.config.zmq_stats_ep = rig.stats_ep;
	rig.loop = loop_create("control");
	rig.rpc = rpc_start(&rig.config, NULL, rig.loop, &err);
	ck_assert_msg(rig.rpc != NULL, "%s", err.text);
	rig.zmq = zmq_ctx_new();
}

void *client_open(const char *address, int type)
{
	void *socket = zmq_socket(rig.zmq, type);

	zmq_setsockopt(socket, ZMQ_LINGER, &(int){0}, sizeof(int));
	ck_assert_int_eq(zmq_connect(socket, address), 0);
	return socket;
}

void rig_down(void)
{
	char path[64];

	if (rig.socket != NULL)
		zmq_close(rig.socket);
	rig.socket = NULL;
	rpc_stop(rig.rpc);
	fake_answer_parked();
	loop_destroy(rig.loop);
	zmq_ctx_term(rig.zmq);
	snprintf(path, sizeof(path), "%s/run", rig.directory);
	ck_assert_int_eq(rmdir(path), 0); /* nothing was left in it */
	rmdir(rig.directory);
	log_close();
}

void loop_end(void *context)
{
	loop_quit(context);
}

/* Turns the loop until the client's socket is readable: false when it is not within ms. */
bool turn(void *socket, unsigned ms)
{
	struct loop_timer timer = {0};
	zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};

	loop_add_zmq(rig.loop, socket, loop_end, rig.loop);
	loop_timer_start(rig.loop, &timer, ms, loop_end, rig.loop);
	loop_run(rig.loop);
	loop_timer_stop(&timer);
	loop_remove_zmq(rig.loop, socket);
	return zmq_poll(&item, 1, 0) == 1;
}

/* A DEALER has to make a REQ's empty frame itself. */
void frames_send(void *socket, unsigned n, const char *const frames[])
{
	for (unsigned i = 0; i < n; i++)
		zmq_send(socket, frames[i], strlen(frames[i]), i + 1 < n ? ZMQ_SNDMORE : 0);
}

void message_send(void *socket, const ProtobufCMessage *message)
{
	uint8_t bytes[4096];

	ck_assert_uint_le(protobuf_c_message_get_packed_size(message), sizeof(bytes));
	zmq_send(socket, "", 0, ZMQ_SNDMORE);
	zmq_send(socket, bytes, protobuf_c_message_pack(message, bytes), 0);
}

/* The next answer, as [""][message]. */
ProtobufCMessage *message_receive(void *socket, const ProtobufCMessageDescriptor *type)
{
	static uint8_t bytes[256 * 1024];
	ProtobufCMessage *message;
	int more, size;

	ck_assert_msg(turn(socket, 2000), "no answer");
	ck_assert_int_eq(zmq_recv(socket, bytes, sizeof(bytes), 0), 0);
	size = zmq_recv(socket, bytes, sizeof(bytes), 0);
	ck_assert_int_ge(size, 0);
	zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &(size_t){sizeof(more)});
	ck_assert_int_eq(more, 0);
	message = protobuf_c_message_unpack(type, NULL, (size_t)size, bytes);
	ck_assert_ptr_nonnull(message);
	return message;
}

/* --- port_control ------------------------------------------------------------------------ */

Virtioforwarder__PortControlRequest request_make(Virtioforwarder__PortControlRequest__Op op)
{
	static char *devices[] = {(char *)"net_null3"};
	Virtioforwarder__PortControlRequest request = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__INIT;

	request.op = op;
	request.has_virtio_id = true;
	request.virtio_id = 3;
	request.n_device = 1;
	request.device = devices;
	return request;
}
#define OP(name) VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__##name

static struct {
	bool ok, has_code;
	int code;
	char source[64], query[64], text[ERROR_TEXT_MAX];
} got;

/* Waits for an answer and puts it into got. */
void answer_take(void)
{
	Virtioforwarder__PortControlResponse *answer = (void *)message_receive(
	        rig.socket, &virtioforwarder__port_control_response__descriptor);

	got.ok = answer->status == VIRTIOFORWARDER__PORT_CONTROL_RESPONSE__STATUS__OK;
	got.has_code = answer->has_error_code;
	got.code = answer->error_code;
	snprintf(got.source, sizeof(got.source), "%s",
	         answer->error_code_source != NULL ? answer->error_code_source : "-");
	snprintf(got.query, sizeof(got.query), "%s",
	         answer->query_string != NULL ? answer->query_string : "-");
	snprintf(got.text, sizeof(got.text), "%s",
	         answer->error_text != NULL ? answer->error_text : "-");
	virtioforwarder__port_control_response__free_unpacked(answer, NULL);
}

void ask(const Virtioforwarder__PortControlRequest *request)
{
	if (rig.socket == NULL)
		rig.socket = client_open(rig.port_control_ep, ZMQ_DEALER);
	message_send(rig.socket, &request->base);
	answer_take();
}

void expect_error(int code, const char *source)
{
	ck_assert(!got.ok);
	ck_assert(got.has_code);
	ck_assert_int_eq(got.code, code);
	ck_assert_str_eq(got.source, source);
	ck_assert_str_ne(got.text, "-");
}

void expect_refusal(void)
{
	ck_assert(!got.ok);
	ck_assert(!got.has_code);
	ck_assert_str_eq(got.source, "-");
	ck_assert_str_ne(got.text, "-");
}

void expect_ok(void)
{
	ck_assert(got.ok);
	ck_assert(!got.has_code);
	ck_assert_str_eq(got.source, "-");
	ck_assert_str_eq(got.text, "-");
}

#endif
