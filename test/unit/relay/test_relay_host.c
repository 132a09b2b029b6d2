/* PFs and what is heard of them: events, events that were lost, and what the PFs answer then. The
 * kernel is the test's.
 */
/* WRAP: link_watch_open link_watch_next loop_add_fd_named loop_remove_fd job_submit */
/* WRAP: loop_timer_stop */
#include <check.h>
#include <unistd.h>

#include "control_rig.h"
#include "suite.h"
#include "sys/link_watch.h"

/* --- the kernel ---------------------------------------------------------------------------- */

#define EVENTS_MAX 8

static struct link_event events[EVENTS_MAX];
static unsigned n_events, n_read;
static bool endless; /* the last one again and again */
static int end;      /* after the last one */
static loop_fn on_readable;

int __wrap_link_watch_open(void);
int __wrap_link_watch_next(int fd, struct link_event *event);
int __wrap_loop_add_fd_named(struct loop *loop, int fd, unsigned wanted, loop_fn callback,
                             void *context, const char *name);
void __wrap_loop_remove_fd(struct loop *loop, int fd);
void __wrap_job_submit(struct job_thread *thread, struct job *job);
void __wrap_loop_timer_stop(struct loop_timer *timer);

int __wrap_link_watch_open(void)
{
	return dup(STDOUT_FILENO);
}

int __wrap_link_watch_next(int fd, struct link_event *event)
{
	ck_assert_int_eq(fd, rig->relays.link_fd);
	if (n_read == n_events && endless)
		n_read--;
	if (n_read == n_events)
		return end;
	*event = events[n_read++];
	return 1;
}

int __wrap_loop_add_fd_named(struct loop *loop, int fd, unsigned wanted, loop_fn callback,
                             void *context, const char *name)
{
	(void)loop;
	(void)fd;
	ck_assert_uint_eq(wanted, LOOP_READABLE);
	ck_assert_str_eq(name, "on_links (src/relay/host.c)");
	ck_assert_ptr_eq(context, &rig->relays);
	on_readable = callback;
	return 0;
}

void __wrap_loop_remove_fd(struct loop *loop, int fd)
{
	(void)loop;
	ck_assert_int_eq(fd, rig->relays.link_fd);
	on_readable = NULL;
}

/* Of detaches: they stay as they begin. */
void __wrap_job_submit(struct job_thread *thread, struct job *job)
{
	(void)thread;
	(void)job;
}

void __wrap_loop_timer_stop(struct loop_timer *timer)
{
	(void)timer;
}

static void hear(struct link_event event)
{
	n_read = 0;
	n_events = 1;
	events[0] = event;
	on_readable(&rig->relays);
}

/* --- relays -------------------------------------------------------------------------------- */

#define PF_1 5
#define PF_2 6

static struct vf_host host_of(unsigned pf)
{
	return (struct vf_host){.pf_ifindex = pf,
	                        .pf = "eno1",
	                        .needs_pf = true,
	                        .pf_up = true,
	                        .carrier_changes = 3,
	                        .mac.ether_addr_octet = {2, 0, 0, 0, 0, (uint8_t)pf}};
}

static struct relay *have(unsigned id, unsigned pf)
{
	struct relay *relay = &rig->relays.relay[id];

	relay->vf_end.vf = rig_vf(id, (uint16_t)id, 1);
	relay->vf_end.vf.host = host_of(pf);
	relay->vf_end.vf.mac = relay->vf_end.vf.host.mac;
	relay->vf_end.phase = VF_ATTACHED;
	return relay;
}

static void set_up(void)
{
	rig_create(1);
	rig->relays.link_fd = -1;
	n_events = n_read = 0;
	end = 0;
	endless = false;
	host_start(&rig->relays);
	ck_assert_ptr_nonnull(on_readable);
}

static void tear_down(void)
{
	host_stop(&rig->relays);
	ck_assert_ptr_null(on_readable);
	rig_destroy();
}

START_TEST(asks_those_of_whom_it_hears)
{
	struct relay *one = have(0, PF_1), *other = have(1, PF_2);

	hear((struct link_event){.ifindex = PF_1, .up = true});
	ck_assert(one->vf_end.host_question == VF_HOST_CHANGED &&
	          other->vf_end.host_question == VF_HOST_NO_QUESTION);
	hear((struct link_event){.ifindex = PF_2, .up = false});
	ck_assert(other->vf_end.host_question == VF_HOST_CHANGED && !other->vf_end.vf.host.pf_up &&
	          one->vf_end.vf.host.pf_up);
}
END_TEST

START_TEST(asks_all_when_events_were_lost)
{
	struct relay *one = have(0, PF_1), *other = have(63, PF_2);

	hear((struct link_event){.some_lost = true});
	ck_assert(one->vf_end.host_question == VF_HOST_CHANGED_TWICE &&
	          other->vf_end.host_question == VF_HOST_CHANGED_TWICE);
	ck_assert(rig->relays.relay[1].vf_end.host_question == VF_HOST_NO_QUESTION); /* has no VF */
	ck_assert_ptr_nonnull(on_readable); /* and listens on */
}
END_TEST

/* What the PFs answer then. */
START_TEST(acts_on_what_differs)
{
	struct relay *same = have(0, PF_1), *down = have(1, PF_1), *mac = have(2, PF_1);
	struct relay *twice = have(3, PF_1), *heard = have(4, PF_1), *hardy = have(5, PF_1);
	struct vf_host host = host_of(PF_1);

	told(same, &host, VF_HOST_CHANGED_TWICE);
	ck_assert_uint_eq(same->vf_end.phase, VF_ATTACHED);
	host.pf_up = false;
	told(down, &host, VF_HOST_CHANGED_TWICE);
	ck_assert(!down->vf_end.vf.host.pf_up);
	host = host_of(PF_1);
	told(down, &host, VF_HOST_CHANGED_TWICE);
	ck_assert_uint_eq(down->vf_end.phase, VF_DETACHING);
	host.mac.ether_addr_octet[5] = 99;
	told(mac, &host, VF_HOST_CHANGED_TWICE);
	ck_assert_uint_eq(mac->vf_end.phase, VF_DETACHING);

	/* Down and up again in between; of what was heard of, the events tell more. */
	host = host_of(PF_1);
	host.carrier_changes += 2;
	told(heard, &host, VF_HOST_CHANGED);
	ck_assert_uint_eq(heard->vf_end.phase, VF_ATTACHED);
	told(heard, &host, VF_HOST_CHANGED_TWICE);
	ck_assert_uint_eq(heard->vf_end.phase, VF_ATTACHED);
	told(twice, &host, VF_HOST_CHANGED_TWICE);
	ck_assert_uint_eq(twice->vf_end.phase, VF_DETACHING);
	host.needs_pf = hardy->vf_end.vf.host.needs_pf = false;
	told(hardy, &host, VF_HOST_CHANGED_TWICE);
	ck_assert_uint_eq(hardy->vf_end.phase, VF_ATTACHED);
}
END_TEST

START_TEST(asks_again_what_was_not_answered)
{
	struct vf_host host = host_of(PF_1), before = host;
	struct relay *relay = have(0, PF_1);

	host.incomplete = true;
	host.mac = (struct ether_addr){0};
	told(relay, &host, VF_HOST_CHANGED_TWICE);
	ck_assert(relay->vf_end.host_question == VF_HOST_CHANGED_TWICE);
	ck_assert(vf_mac_equal(&relay->vf_end.vf.host.mac, &before.mac));
	relay->vf_end.host_question = VF_HOST_NO_QUESTION;
	before.mac.ether_addr_octet[5] = 77;
	told(relay, &before, VF_HOST_CHANGED_TWICE);
	ck_assert_uint_eq(relay->vf_end.phase, VF_DETACHING);
	ck_assert(relay->vf_end.host_question == VF_HOST_NO_QUESTION);
}
END_TEST

START_TEST(holds_nobody_up)
{
	struct relay *relay = have(0, PF_1);

	endless = true;
	hear((struct link_event){.some_lost = true}); /* returns */
	ck_assert(relay->vf_end.host_question == VF_HOST_CHANGED_TWICE);
}
END_TEST

START_TEST(gives_up_what_fails)
{
	struct relay *relay = have(0, PF_1);

	end = -EIO;
	hear((struct link_event){.ifindex = PF_1, .up = true});
	ck_assert(relay->vf_end.host_question ==
	          VF_HOST_CHANGED); /* but not what was heard before */
	ck_assert_int_eq(rig->relays.link_fd, -1);
	ck_assert_ptr_null(on_readable);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, asks_those_of_whom_it_hears);
	tcase_add_test(tcase, asks_all_when_events_were_lost);
	tcase_add_test(tcase, acts_on_what_differs);
	tcase_add_test(tcase, asks_again_what_was_not_answered);
	tcase_add_test(tcase, holds_nobody_up);
	tcase_add_test(tcase, gives_up_what_fails);
	return suite_main("relay_host", tcase);
}
