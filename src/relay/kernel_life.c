/* A relay's interface of the host's kernel. See kernel_life.h.
 *
 * Opening and closing are the device thread's: they make and end a port of DPDK's. Jobs run one
 * after the other there, so an attach that finds the relay's interface before still open was
 * submitted between the end of that one's lanes and its closing: it is tried again.
 */
#include "relay/kernel_life.h"

#include <errno.h>
#include <string.h>

#include "base/container_of.h"
#include "base/log.h"
#include "config/config.h"
#include "guest/guest_kernel.h"
#include "relay/guest_life.h"

static bool is_wanted(const struct relay *relay)
{
	return relay->vf_end.phase != VF_ABSENT && relay->vf_end.far.kind == FAR_KERNEL;
}

/* --- the device thread's --------------------------------------------------------------------- */

static int open_interface(const struct vf_job *vf_job, struct error *err)
{
	struct guest_kernel_params params = {
	        .relay_id = vf_job->params.relay_id,
	        .mac = vf_job->vf.mac,
	        .mtu = vf_job->vf.mtu,
	        .queues = vf_job->vf.n_queues,
	        .vf_ring = vf_job->params.ring_size,
	        .n_workers = vf_job->params.n_workers,
	        .node = vf_job->vf.numa_node,
	        .no_huge = vf_job->params.no_huge,
	        .huge_dir = vf_job->params.huge_dir,
	};

	memcpy(params.interface, vf_job->far.interface, sizeof(params.interface));
	return guest_kernel_open(&params, err);
}

int kernel_life_attach(struct vf_job *vf_job)
{
	bool opens = vf_job->far.kind == FAR_KERNEL && !vf_job->far_is_there;
	struct vf_leftover leftover;
	struct error ignored;
	int rc = 0;

	if (opens)
		rc = guest_kernel_check(vf_job->params.relay_id, vf_job->far.interface,
		                        &vf_job->err);
	if (rc == 0)
		rc = vf_attach(&vf_job->spec, &vf_job->params, &vf_job->vf, &vf_job->err);
	else
		vf_job->err.code = VF_ERROR_START;
	if (rc < 0 || !opens || open_interface(vf_job, &vf_job->err) == 0)
		return rc;
	vf_job->err.code = VF_ERROR_START;
	if (vf_detach(&vf_job->vf, &leftover, &ignored) < 0)
		log_warn("relay %u: %s, given up: %s", vf_job->params.relay_id, vf_job->spec.name,
		         ignored.text);
	return -1;
}

static void close_run(struct job *job)
{
	guest_kernel_close(
	        CONTAINER_OF(CONTAINER_OF(job, struct kernel_end, job), struct relay, kernel_end)
	                ->id);
}

/* --- control's ------------------------------------------------------------------------------- */

static void close_done(struct job *job)
{
	struct relay *relay =
	        CONTAINER_OF(CONTAINER_OF(job, struct kernel_end, job), struct relay, kernel_end);

	relay->kernel_end.phase = KERNEL_NONE;
	log_notice("relay %u: the kernel's interface is gone", relay->id);
}

void kernel_life_attached(struct relay *relay)
{
	if (relay->vf_end.far.kind != FAR_KERNEL || relay->kernel_end.phase != KERNEL_NONE)
		return;
	relay->kernel_end.phase = KERNEL_UP;
	guest_kernel_read(relay->id, &relay->guest_end.guest);
	log_notice("relay %u: %s is the kernel's interface %s now, by %s, with %u queues",
	           relay->id, relay->vf_end.device.name, relay->vf_end.far.interface,
	           guest_kernel_driver(relay->id),
	           (unsigned)__builtin_popcount(relay->guest_end.guest.rx_queues));
}

void kernel_life_leave(struct relay *relay)
{
	if (relay->kernel_end.phase != KERNEL_UP)
		return;
	relay->kernel_end.phase = KERNEL_LEAVING;
	relay->guest_end.guest = (struct guest_state){.numa_node = -1};
	relay_changed(relay);
}

void kernel_life_unplanned(struct relay *relay)
{
	struct kernel_end *end = &relay->kernel_end;

	if (end->phase != KERNEL_LEAVING)
		return;
	end->phase = KERNEL_CLOSING;
	end->job = (struct job){.run = close_run, .done = close_done};
	job_submit(relay->relays->device_thread, &end->job);
}

void kernel_life_settle_socket(struct relay *relay)
{
	struct kernel_end *end = &relay->kernel_end;

	if (relay->relays->quiesced)
		return;
	if (is_wanted(relay) && relay->guest_end.phase == GUEST_OPEN) {
		log_notice("relay %u: %s is closed: the far end is the kernel's interface %s",
		           relay->id, relay->guest_end.path, relay->vf_end.far.interface);
		end->socket_withdrawn = true;
		guest_life_close(relay);
	} else if (!is_wanted(relay) && end->socket_withdrawn &&
	           relay->guest_end.phase == GUEST_CLOSED) {
		end->socket_withdrawn = false;
		guest_life_open(relay);
	}
}
