/* The rpc layer's pure parts: memory for unpacking, text, requests and answers as messages. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "rpc/port_control.h"
#include "rpc/transport/arena.h"
#include "suite.h"

#define Request    Virtioforwarder__PortControlRequest
#define PciAddress Virtioforwarder__PortControlRequest__PciAddress

/* --- arena ------------------------------------------------------------------------------- */

START_TEST(arena_aligns_and_stays_in_budget)
{
	struct arena arena;
	size_t total = 0;
	char *last = NULL, *p;

	arena_init(&arena, 100 * 1024);
	while ((p = arena_alloc(&arena, 33)) != NULL) {
		ck_assert_uint_eq((uintptr_t)p % 16, 0);
		ck_assert(p != last);
		memset(p, 0xa5, 33);
		last = p;
		total += 33;
	}
	ck_assert_uint_gt(total, 50 * 1024);
	ck_assert_uint_le(total, 100 * 1024);
	arena_free(&arena);
	ck_assert_ptr_null(arena_alloc(&arena, 1));
	arena_free(&arena);
}
END_TEST

START_TEST(arena_refuses_absurd_sizes)
{
	struct arena arena;

	arena_init(&arena, 4 * 1024 * 1024);
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
	ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 8));
	ck_assert_ptr_null(arena_alloc(&arena, 4 * 1024 * 1024 + 1));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 0));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 1024 * 1024));
	ck_assert_ptr_nonnull(arena_alloc(&arena, 8)); /* from a new chunk: the last was filled */
	arena_free(&arena);
}
END_TEST

/* --- text -------------------------------------------------------------------------------- */

static void text_check(const char *given, const char *wanted)
{
	char text[64];

	snprintf(text, sizeof(text), "%s", given);
	text_make_utf8(text);
	ck_assert_str_eq(text, wanted);
}

START_TEST(text_is_made_utf8)
{
	text_check("", "");
	text_check("plain \"text\"", "plain \"text\"");
	text_check("\u00e9 \u20ac \U0001f600", "\u00e9 \u20ac \U0001f600");
	text_check("a\nb\tc\x7f", "a?b?c?");
	text_check("\xff\xfe", "??");
	text_check("\xc0\xaf", "??");              /* overlong */
	text_check("\xe0\x80\x80", "???");         /* overlong */
	text_check("\xed\xa0\x80", "???");         /* surrogate */
	text_check("\xf4\x90\x80\x80", "????");    /* beyond U+10FFFF */
	text_check("cut \xe2\x82", "cut ??");      /* as a cut string ends */
	text_check("\xe2\xe2\x82\xac", "?\u20ac"); /* found again after a wrong byte */
}
END_TEST

/* --- port_control ------------------------------------------------------------------------ */

static PciAddress pci[9];
static PciAddress *pci_list[9];
static char *device_list[9];

/* An ADD to relay 5 of n PCI addresses 0000:05:08.n. */
static Request request_make(size_t n)
{
	Request request = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__INIT;

	for (size_t i = 0; i < n; i++) {
		pci[i] = (PciAddress)VIRTIOFORWARDER__PORT_CONTROL_REQUEST__PCI_ADDRESS__INIT;
		pci[i].bus = 5;
		pci[i].slot = 8;
		pci[i].function = (uint32_t)i % 8;
		pci[i].domain = (uint32_t)i / 8;
		pci_list[i] = &pci[i];
	}
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD;
	request.has_virtio_id = true;
	request.virtio_id = 5;
	request.n_pci_addrs = n;
	request.pci_addrs = pci_list;
	return request;
}

static int decode(const Request *request, struct port_control_request *out)
{
	struct error err = {0};
	int rc = port_control_decode(request, out, &err);

	if (rc < 0) {
		ck_assert_int_gt(err.code, 0);
		ck_assert_uint_gt(strlen(err.text), 10);
	}
	return rc;
}

START_TEST(decode_takes_an_add)
{
	struct port_control_request out;
	Request request = request_make(1);
	char label[DEVICE_NAME_MAX];

	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_int_eq(out.op, PORT_CONTROL_ADD);
	ck_assert(out.conditional); /* unless told otherwise */
	ck_assert_uint_eq(out.relay_id, 5);
	ck_assert_uint_eq(out.n_devices, 1);
	device_spec_label(&out.devices[0], label);
	ck_assert_str_eq(label, "0000:05:08.0");
	ck_assert(!out.is_bond);
	request.has_conditional = true;
	request.conditional = false;
	request.virtio_id = 4000000000u; /* control says what it thinks of it */
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(!out.conditional);
	ck_assert_uint_eq(out.relay_id, 4000000000u);
}
END_TEST

START_TEST(decode_takes_a_far_end)
{
	struct port_control_request out;
	Request request = request_make(1);

	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(out.far == FAR_GUEST);
	request.has_far = true;
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(out.far == FAR_GUEST);
	request.far = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__FAR__KERNEL;
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(out.far == FAR_KERNEL);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE;
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(out.far == FAR_GUEST);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD_SOCK;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD;
	request.far = (Virtioforwarder__PortControlRequest__Far)2;
	ck_assert_int_lt(decode(&request, &out), 0);
}
END_TEST

START_TEST(decode_takes_device_strings)
{
	struct port_control_request out;
	Request request = request_make(0);

	request.n_device = 1;
	request.device = device_list;
	device_list[0] = (char *)"net_tap0,iface=vf0";
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_str_eq(out.devices[0].name, "net_tap0");
	ck_assert_str_eq(out.devices[0].devargs, "net_tap0,iface=vf0");
	device_list[0] = (char *)"0000:05:08.1";
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(out.devices[0].is_pci);
	device_list[0] = (char *)"net_pcap0,tx_pcap=/etc/passwd";
	ck_assert_int_lt(decode(&request, &out), 0);
	device_list[0] = (char *)"";
	ck_assert_int_lt(decode(&request, &out), 0);
	/* one way or the other */
	request = request_make(1);
	request.n_device = 1;
	request.device = device_list;
	device_list[0] = (char *)"net_tap0";
	ck_assert_int_lt(decode(&request, &out), 0);
}
END_TEST

START_TEST(decode_refuses_what_lacks_something)
{
	struct port_control_request out;
	Request request = request_make(1);

	request.has_virtio_id = false;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD_SOCK;
	ck_assert_int_eq(decode(&request, &out), 0);

	request = request_make(0);
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__ADD_SOCK;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE;
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_uint_eq(out.n_devices, 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE_SOCK;
	ck_assert_int_eq(decode(&request, &out), 0); /* the operation's own error */

	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__QUERY_PCI;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.vhost_path = (char *)"";
	ck_assert_int_lt(decode(&request, &out), 0);
	request.vhost_path = (char *)"/tmp/x.sock";
	ck_assert_int_eq(decode(&request, &out), 0);
}
END_TEST

START_TEST(decode_refuses_unknown_operations)
{
	static const int ops[] = {5, 77, -1, INT32_MAX, INT32_MIN};
	struct port_control_request out;
	Request request = request_make(1);

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		request.op = (Virtioforwarder__PortControlRequest__Op)ops[i];
		ck_assert_int_lt(decode(&request, &out), 0);
	}
}
END_TEST

START_TEST(decode_checks_pci_numbers)
{
	static const uint32_t wrong[][3] = {{256, 0, 0}, {0, 32, 0}, {0, 0, 8}, {UINT32_MAX, 0, 0}};
	struct port_control_request out;
	Request request = request_make(1);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		pci[0].bus = wrong[i][0];
		pci[0].slot = wrong[i][1];
		pci[0].function = wrong[i][2];
		ck_assert_int_lt(decode(&request, &out), 0);
	}
	pci[0].domain = 0x10000;
	pci[0].bus = 255;
	pci[0].slot = 31;
	pci[0].function = 7;
	ck_assert_int_eq(decode(&request, &out), 0);
}
END_TEST

START_TEST(decode_holds_bonds_to_their_rules)
{
	struct port_control_request out;
	Request request = request_make(2);

	ck_assert_int_lt(decode(&request, &out), 0); /* no name */
	request.name = (char *)"net_bonding7";
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert(out.is_bond);
	ck_assert_str_eq(out.bond_device.name, "net_bonding7");
	ck_assert_uint_eq(out.bond_mode, 1);
	request.has_mode = true;
	request.mode = 0;
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_uint_eq(out.bond_mode, 0);
	request.mode = 7;
	ck_assert_int_lt(decode(&request, &out), 0);
	request.has_mode = false;
	request.name = (char *)"bond0";
	ck_assert_int_lt(decode(&request, &out), 0);
	request.name = (char *)"net_bonding";
	ck_assert_int_lt(decode(&request, &out), 0);
	request.name = (char *)"net_bonding0,mode=2"; /* to DPDK, a comma ends the name */
	ck_assert_int_lt(decode(&request, &out), 0);
	pci[1] = pci[0];
	request.name = (char *)"net_bonding7";
	ck_assert_int_lt(decode(&request, &out), 0); /* a member twice */

	request = request_make(8);
	request.name = (char *)"net_bonding7";
	ck_assert_int_eq(decode(&request, &out), 0);
	ck_assert_uint_eq(out.n_devices, 8);
	request = request_make(9);
	request.name = (char *)"net_bonding7";
	ck_assert_int_lt(decode(&request, &out), 0);

	request = request_make(1); /* a name alone makes no bond */
	request.name = (char *)"net_bonding7";
	ck_assert_int_lt(decode(&request, &out), 0);
	request = request_make(0);
	request.name = (char *)"net_bonding7";
	ck_assert_int_lt(decode(&request, &out), 0);
	request.op = VIRTIOFORWARDER__PORT_CONTROL_REQUEST__OP__REMOVE; /* but names one */
	ck_assert_int_eq(decode(&request, &out), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, arena_aligns_and_stays_in_budget);
	tcase_add_test(tcase, arena_refuses_absurd_sizes);
	tcase_add_test(tcase, text_is_made_utf8);
	tcase_add_test(tcase, decode_takes_an_add);
	tcase_add_test(tcase, decode_takes_a_far_end);
	tcase_add_test(tcase, decode_takes_device_strings);
	tcase_add_test(tcase, decode_refuses_what_lacks_something);
	tcase_add_test(tcase, decode_refuses_unknown_operations);
	tcase_add_test(tcase, decode_checks_pci_numbers);
	tcase_add_test(tcase, decode_holds_bonds_to_their_rules);
	return suite_main("rpc_codec", tcase);
}
