/* A relay whose far end is an interface of the kernel's: when that is made and when it goes, what
 * requests are answered, and what becomes of the relay's socket. The interface is the test's.
 */
/* WRAP: clock_now_ms guest_kernel_check guest_kernel_open guest_kernel_close guest_kernel_get
 * WRAP: guest_kernel_read guest_open guest_close guest_refuse guest_read */
#include <check.h>

#include "relay_vf_rig.h"
#include "suite.h"

/* --- the interface ------------------------------------------------------------------------------
 */

static bool is_open, open_fails, name_is_taken;
static unsigned n_opened;
static struct guest_kernel_params seen_kernel;
static struct fake_guest kernel_guest;

int __wrap_guest_kernel_check(unsigned relay_id, const char *interface, struct error *err);
int __wrap_guest_kernel_open(const struct guest_kernel_params *params, struct error *err);
void __wrap_guest_kernel_close(unsigned relay_id);
struct guest *__wrap_guest_kernel_get(unsigned relay_id);
void __wrap_guest_kernel_read(unsigned relay_id, struct guest_state *out);

int __wrap_guest_kernel_check(unsigned relay_id, const char *interface, struct error *err)
{
	ck_assert_uint_eq(relay_id, 3);
	ck_assert_str_eq(interface, "vio4wd3");
	if (is_open) {
		error_set(err, EAGAIN, "the one before is still going");
		return -EAGAIN;
	}
	if (!name_is_taken)
		return 0;
	error_set(err, EEXIST, "the name is taken");
	return -1;
}

int __wrap_guest_kernel_open(const struct guest_kernel_params *params, struct error *err)
{
	ck_assert(!is_open);
	seen_kernel = *params;
	if (open_fails) {
		error_set(err, EIO, "the kernel does not want it");
		return -1;
	}
	is_open = true;
	n_opened++;
	return 0;
}

/* Whatever a lane still does with it would be a use after its end. */
void __wrap_guest_kernel_close(unsigned relay_id)
{
	ck_assert_uint_eq(relay_id, 3);
	ck_assert(is_open);
	is_open = false;
	for (unsigned i = 0; i < rig->workers->count; i++)
		for (unsigned j = 0; j < rig_plan(i)->n_works; j++)
			ck_assert_ptr_ne(rig_plan(i)->works[j].guest, &kernel_guest.guest);
}

struct guest *__wrap_guest_kernel_get(unsigned relay_id)
{
	(void)relay_id;
	return &kernel_guest.guest;
}

void __wrap_guest_kernel_read(unsigned relay_id, struct guest_state *out)
{
	(void)relay_id;
	*out = (struct guest_state){.connected = true, .rx_queues = 3, .tx_queues = 3, .mtu = 2100};
}

/* --- the socket ---------------------------------------------------------------------------------
 */

int __wrap_guest_open(const struct guest_params *params, struct error *err);
void __wrap_guest_close(unsigned relay_id);
void __wrap_guest_refuse(unsigned relay_id);
void __wrap_guest_read(unsigned relay_id, struct guest_state *out);

int __wrap_guest_open(const struct guest_params *params, struct error *err)
{
	(void)err;
	ck_assert_uint_eq(params->relay_id, 3);
	return 0;
}

void __wrap_guest_close(unsigned relay_id)
{
	(void)relay_id;
}

void __wrap_guest_refuse(unsigned relay_id)
{
	(void)relay_id;
}

/* A guest is quick. */
void __wrap_guest_read(unsigned relay_id, struct guest_state *out)
{
	(void)relay_id;
	*out = (struct guest_state){.connected = true, .rx_queues = 1, .tx_queues = 1};
}

static struct guest_end *socket_of(unsigned relay_id)
{
	return &rig->relays.relay[relay_id].guest_end;
}

/* --- requests -----------------------------------------------------------------------------------
 */

static void add_kernel(int device, bool conditional, struct answer *answer)
{
	struct vf_request request = vf_request_of(asker, 3, device, conditional);

	request.far = far_spec_kernel(3);
	*answer = (struct answer){.asked_ms = clock_ms, .request = CONTRACT_ADD};
	control_add_vf(rig, &request, on_answer, answer);
	rig_turn_ends();
}

static void have_kernel(void)
{
	struct answer answer;

	add_kernel(0, true, &answer);
	device_works();
	expect_ok(&answer);
}

/* How many lanes of either direction have the interface at one of their ends. */
static unsigned lanes_of_interface(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < rig->workers->count; i++)
		for (unsigned j = 0; j < rig_plan(i)->n_works; j++)
			n += rig_plan(i)->works[j].guest == &kernel_guest.guest;
	return n;
}

static void set_up_kernel(void)
{
	set_up();
	rig->relays.guest_thread = thread_of(GUEST);
	memset(&kernel_guest, 0, sizeof(kernel_guest));
	kernel_guest.guest.ops = &fake_guest_ops;
	is_open = open_fails = name_is_taken = false;
	n_opened = 0;
	socket_of(3)->phase = GUEST_OPEN;
}

static void tear_down_kernel(void)
{
	ck_assert(idle(GUEST));
	tear_down();
}

/* --- the tests ----------------------------------------------------------------------------------
 */

START_TEST(it_is_made_with_its_vf)
{
	struct control_relay relay;

	have_kernel();
	ck_assert(is_open);
	ck_assert_str_eq(seen_kernel.interface, "vio4wd3");
	ck_assert_uint_eq(seen_kernel.mtu, 2100);
	ck_assert_uint_eq(seen_kernel.queues, 2);
	ck_assert_uint_eq(lanes_of_interface(), 4);
	ends_work();
	control_relay_read(rig, 3, &relay);
	ck_assert(relay.active);
	ck_assert_str_eq(relay.kernel_interface, "vio4wd3");
	ck_assert_str_eq(contract_state_to_vf(relay.vm_to_vf.state), "VIRTIO_READY");
	ck_assert_str_eq(relay.vhost_socket, "NONE");
}
END_TEST

START_TEST(a_name_that_is_taken_costs_no_attach)
{
	struct answer answer;

	name_is_taken = true;
	add_kernel(0, true, &answer);
	device_works();
	expect_error(&answer, add_source, 1);
	ck_assert_str_eq(answer.text, "the name is taken");
	ck_assert_uint_eq(n_attaches, 0);
	ends_work();
	ck_assert(socket_of(3)->phase == GUEST_OPEN);
}
END_TEST

START_TEST(what_cannot_be_made_takes_its_vf_along)
{
	struct answer answer;

	open_fails = true;
	add_kernel(0, true, &answer);
	device_works();
	expect_error(&answer, add_source, 1);
	ck_assert_str_eq(answer.text, "the kernel does not want it");
	ck_assert_uint_eq(n_attached, 0);
	ck_assert_uint_eq(lanes_of_interface(), 0);
	ends_work();
	ck_assert(socket_of(3)->phase == GUEST_OPEN);
}
END_TEST

START_TEST(it_stays_while_its_vf_is_lost)
{
	have_kernel();
	ends_work();
	rig_lose(&rig->relays.relay[3]);
	device_works();
	ck_assert(is_open);
	/* What the kernel sends meanwhile is read, and counted as lost. */
	ck_assert_uint_eq(lanes_of_interface(), 2);
	pass_ms(LONGEST_WAIT_MS);
	device_works();
	ck_assert_uint_eq(n_attached, 1);
	ck_assert_uint_eq(n_opened, 1);
	ck_assert_uint_eq(lanes_of_interface(), 4);
}
END_TEST

START_TEST(it_goes_before_its_vf)
{
	struct answer answer;

	have_kernel();
	ends_work();
	remove_vf(3, 0, false, &answer);
	ck_assert_uint_eq(lanes_of_interface(), 0);
	device_works();
	ck_assert(!is_open);
	expect_nothing_yet(&answer);
	device_works();
	expect_ok(&answer);
	ck_assert(socket_of(3)->phase == GUEST_OPENING);
	ends_work();
	ck_assert(socket_of(3)->phase == GUEST_OPEN);
	ck_assert(socket_of(3)->guest.connected);
}
END_TEST

/* The answer comes at once, and whoever asks anew at once is tried again until it has gone. */
START_TEST(removed_while_its_vf_is_lost)
{
	struct answer answer;

	have_kernel();
	ends_work();
	rig_lose(&rig->relays.relay[3]);
	device_works();
	/* In one turn of the loop. */
	struct vf_request removal = vf_request_of(asker, 3, 0, false);
	struct answer removed = {.asked_ms = clock_ms, .request = CONTRACT_REMOVE};

	control_remove_vf(rig, &removal, on_answer, &removed);
	add_kernel(0, false, &answer);
	expect_ok(&removed);
	device_works(); /* the attach, which finds the interface before */
	expect_nothing_yet(&answer);
	device_works(); /* its closing */
	ck_assert(!is_open);
	pass_ms(WAITER_MS / 2);
	device_works();
	expect_ok(&answer);
	ck_assert_uint_eq(n_opened, 2);
	ck_assert_uint_eq(lanes_of_interface(), 4);
	ends_work();
	ck_assert(socket_of(3)->phase == GUEST_CLOSED);
}
END_TEST

START_TEST(removed_while_it_is_made)
{
	struct answer added, removed;

	add_kernel(0, true, &added);
	device_runs();
	ck_assert(is_open);
	remove_vf(3, 0, false, &removed);
	device_delivers();
	expect_error(&added, add_source, 2);
	while (!device_idle())
		device_works();
	expect_ok(&removed);
	ck_assert(!is_open);
	ck_assert_uint_eq(n_attached, 0);
	ends_work();
	ck_assert(socket_of(3)->phase == GUEST_OPEN);
}
END_TEST

/* A guest that comes to the socket in its last moment is none. */
START_TEST(the_socket_opens_too_late)
{
	struct answer answer;

	have_kernel();
	ends_work();
	remove_vf(3, 0, false, &answer);
	device_works();
	device_works();
	ck_assert(socket_of(3)->phase == GUEST_OPENING);
	have_kernel();
	works(GUEST);
	ck_assert(socket_of(3)->phase != GUEST_OPEN);
	ck_assert_uint_eq(lanes_of_interface(), 4);
	ends_work();
	ck_assert(socket_of(3)->phase == GUEST_CLOSED);
	ck_assert_uint_eq(lanes_of_interface(), 4);
}
END_TEST

START_TEST(another_far_end_is_another_device)
{
	struct answer answer;

	have_kernel();
	ends_work();
	add_kernel(0, true, &answer);
	expect_ok(&answer);
	add(3, 0, true, &answer);
	expect_error(&answer, add_source, 8);
}
END_TEST

START_TEST(it_goes_at_the_end)
{
	have_kernel();
	ends_work();
	shut_down();
	ck_assert(!is_open);
	ck_assert_uint_eq(n_attached, 0);
	ck_assert(socket_of(3)->phase == GUEST_CLOSED);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("relays of the kernel's");

	tcase_add_checked_fixture(tcase, set_up_kernel, tear_down_kernel);
	tcase_add_test(tcase, it_is_made_with_its_vf);
	tcase_add_test(tcase, a_name_that_is_taken_costs_no_attach);
	tcase_add_test(tcase, what_cannot_be_made_takes_its_vf_along);
	tcase_add_test(tcase, it_stays_while_its_vf_is_lost);
	tcase_add_test(tcase, it_goes_before_its_vf);
	tcase_add_test(tcase, removed_while_its_vf_is_lost);
	tcase_add_test(tcase, removed_while_it_is_made);
	tcase_add_test(tcase, the_socket_opens_too_late);
	tcase_add_test(tcase, another_far_end_is_another_device);
	tcase_add_test(tcase, it_goes_at_the_end);
	return suite_main("relay_kernel", tcase);
}
