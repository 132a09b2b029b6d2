/* Says which keys may come in. See zap.h.
 *
 * A question has the frames version, id, domain, address, identity, mechanism and what the
 * mechanism asks about: of CURVE, the client's public key. The answer: version, id, a status, its
 * text, a user's name, and properties.
 */
#include "rpc/transport/zap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/log.h"
#include "rpc/transport/uninterrupted.h"

#define ADDRESS        "inproc://zeromq.zap.01"
#define VERSION_1      "1.0"
#define FRAMES         7
#define FRAME_MAX      256
#define ASKED_PER_TURN 16

enum {
	ASKED_VERSION,
	ASKED_ID,
	ASKED_DOMAIN,
	ASKED_ADDRESS,
	ASKED_IDENTITY,
	ASKED_MECHANISM,
	ASKED_KEY
};

struct frame {
	size_t size;
	uint8_t bytes[FRAME_MAX];
};

struct zap {
	struct loop *loop;
	void *socket; /* REP */
	const struct curve_keys *keys;
	struct log_limit log_limit;
	struct frame frames[FRAMES];
};

static bool frame_is(const struct frame *frame, const char *text)
{
	return frame->size == strlen(text) && memcmp(frame->bytes, text, frame->size) == 0;
}

/* False when there is no question. One that is not as it should be has n_frames 0. */
static bool question_receive(struct zap *zap, unsigned *n_frames)
{
	int more = 1;
	bool fits = true;

	*n_frames = 0;
	while (more) {
		struct frame spare, *frame = *n_frames < FRAMES ? &zap->frames[*n_frames] : &spare;
		int size = UNINTERRUPTED(
		        zmq_recv(zap->socket, frame->bytes, sizeof(frame->bytes), ZMQ_DONTWAIT));

		if (size < 0)
			return false;
		fits = fits && (size_t)size <= sizeof(frame->bytes) && *n_frames < FRAMES;
		frame->size = (size_t)size;
		(*n_frames)++;
		zmq_getsockopt(zap->socket, ZMQ_RCVMORE, &more, &(size_t){sizeof(more)});
	}
	if (!fits)
		*n_frames = 0;
	return true;
}

static bool is_admitted(const struct zap *zap, unsigned n_frames)
{
	return n_frames == FRAMES && frame_is(&zap->frames[ASKED_VERSION], VERSION_1) &&
	       frame_is(&zap->frames[ASKED_DOMAIN], ZAP_DOMAIN) &&
	       frame_is(&zap->frames[ASKED_MECHANISM], "CURVE") &&
	       zap->frames[ASKED_KEY].size == CURVE_KEY_SIZE &&
	       curve_keys_admit(zap->keys, zap->frames[ASKED_KEY].bytes);
}

static void frame_send(const struct zap *zap, const void *bytes, size_t size, int more)
{
	(void)UNINTERRUPTED(zmq_send(zap->socket, bytes, size, more | ZMQ_DONTWAIT));
}

static void answer_send(const struct zap *zap, unsigned n_frames, bool admitted)
{
	const struct frame none = {0}, *id = n_frames > ASKED_ID ? &zap->frames[ASKED_ID] : &none;

	frame_send(zap, VERSION_1, strlen(VERSION_1), ZMQ_SNDMORE);
	frame_send(zap, id->bytes, id->size, ZMQ_SNDMORE);
	frame_send(zap, admitted ? "200" : "400", 3, ZMQ_SNDMORE);
	frame_send(zap, NULL, 0, ZMQ_SNDMORE);
	frame_send(zap, NULL, 0, ZMQ_SNDMORE);
	frame_send(zap, NULL, 0, 0);
}

static void refusal_log(struct zap *zap, unsigned n_frames)
{
	const struct frame *address = &zap->frames[ASKED_ADDRESS];

	log_write_limited(&zap->log_limit, LOG_WARNING,
	                  "a client at %.*s was turned away: its key is not among clients/*.pub",
	                  n_frames > ASKED_ADDRESS ? (int)address->size : 0,
	                  (const char *)address->bytes);
}

static void zap_turn(void *context)
{
	struct zap *zap = context;
	unsigned n_frames;

	for (unsigned i = 0; i < ASKED_PER_TURN && question_receive(zap, &n_frames); i++) {
		bool admitted = is_admitted(zap, n_frames);

		if (!admitted)
			refusal_log(zap, n_frames);
		answer_send(zap, n_frames, admitted);
	}
}

struct zap *zap_start(void *zmq_context, struct loop *loop, const struct curve_keys *keys,
                      struct error *err)
{
	struct zap *zap = calloc(1, sizeof(*zap));

	if (zap == NULL) {
		error_set(err, ENOMEM, "cannot check clients' keys: out of memory");
		return NULL;
	}
	zap->loop = loop;
	zap->keys = keys;
	zap->log_limit = (struct log_limit)LOG_LIMIT(10000, 5);
	zap->socket = zmq_socket(zmq_context, ZMQ_REP);
	if (zap->socket == NULL ||
	    zmq_setsockopt(zap->socket, ZMQ_LINGER, &(int){0}, sizeof(int)) < 0 ||
	    UNINTERRUPTED(zmq_bind(zap->socket, ADDRESS)) < 0 ||
	    loop_add_zmq(loop, zap->socket, zap_turn, zap) < 0) {
		error_set(err, errno, "cannot check clients' keys: %s", zmq_strerror(errno));
		zap_stop(zap);
		return NULL;
	}
	return zap;
}

void zap_stop(struct zap *zap)
{
	if (zap == NULL)
		return;
	if (zap->socket != NULL) {
		loop_remove_zmq(zap->loop, zap->socket);
		zmq_close(zap->socket);
	}
	free(zap);
}
