/* The saved state's text: what is written is read again, and whatever is not quite that is refused
 * as a whole, with words. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keep/state.h"
#include "suite.h"

#define BOOT "196067ab-707d-4806-a778-d684c3b56db0"

static struct state state, back;
static struct error err;

static int parse(const char *text)
{
	err = (struct error){0};
	return state_parse(text, strlen(text), BOOT, &back, &err);
}

static void expect_nothing(void)
{
	static const struct state nothing;

	ck_assert_mem_eq(&back, &nothing, sizeof(back));
}

static void device(unsigned index, unsigned id, const char *text, const char *socket)
{
	struct state_relay *relay = &state.relays[index];

	relay->id = id;
	ck_assert_int_eq(device_spec_parse(text, &relay->device, &err), 0);
	snprintf(relay->socket, sizeof(relay->socket), "%s", socket);
	state.n_relays = index + 1;
}

static void expect_round_trip(void)
{
	char *text = state_format(&state, BOOT);

	ck_assert_ptr_nonnull(text);
	ck_assert_msg(parse(text) == 0, "%s", err.text);
	ck_assert_mem_eq(&back, &state, sizeof(state));
	free(text);
}

START_TEST(relays_by_number)
{
	expect_round_trip();
	device(0, 3, "net_tap0,iface=vf0", "");
	device(1, 63, "0000:05:08.1", "");
	state.relays[1].far = FAR_KERNEL;
	device(2, 0, "net_af_packet7,iface=eth0,qpairs=2", "");
	state.n_pins = 2;
	state.pins[0] = (struct cpu_pin){.relay_id = 0, .vf_to_vm_cpu = 1023, .vm_to_vf_cpu = 0};
	state.pins[1] = (struct cpu_pin){.relay_id = 63, .vf_to_vm_cpu = -1, .vm_to_vf_cpu = 2};
	expect_round_trip();
}
END_TEST

START_TEST(pairs)
{
	state.dynamic_sockets = true;
	expect_round_trip();
	device(0, 0, "net_null1", "/run/a.sock");
	device(1, 1, "05:08.1", "/run/with \"quotes\", \\ and \xc3\xa4");
	expect_round_trip();
}
END_TEST

/* The largest that there can be is not too large to be read. */
START_TEST(all_relays)
{
	char text[DEVICE_DEVARGS_MAX], path[GUEST_PATH_MAX], *json;

	state.dynamic_sockets = true;
	memset(path, '\\', sizeof(path));
	path[0] = '/';
	path[GUEST_PATH_MAX - 1] = '\0';
	for (unsigned i = 0; i < RELAYS_MAX; i++) {
		int n = snprintf(text, sizeof(text), "net_tap%u,iface=", i);

		memset(text + n, 'x', sizeof(text) - (size_t)n);
		text[sizeof(text) - 1] = '\0';
		path[1] = (char)('0' + i / 10);
		path[2] = (char)('0' + i % 10);
		device(i, i, text, path);
		state.pins[i] = (struct cpu_pin){i, 1023, 1023};
	}
	state.n_pins = RELAYS_MAX;
	expect_round_trip();
	json = state_format(&state, BOOT);
	ck_assert_uint_lt(strlen(json), STATE_TEXT_MAX);
	free(json);
}
END_TEST

START_TEST(another_boot)
{
	char *text;

	device(0, 3, "net_null0", "");
	text = state_format(&state, "another");
	ck_assert_int_eq(parse(text), -ESTALE);
	expect_nothing();
	free(text);
}
END_TEST

/* Each prefix of a text is what a torn file would be. */
START_TEST(torn)
{
	char *text;

	device(0, 3, "net_null0", "");
	text = state_format(&state, BOOT);
	for (size_t size = 0; size < strlen(text); size++) {
		ck_assert_int_eq(state_parse(text, size, BOOT, &back, &err), -EINVAL);
		expect_nothing();
	}
	free(text);
}
END_TEST

#define STATIC  "\"version\":1,\"boot_id\":\"" BOOT "\",\"dynamic_sockets\":false,"
#define DYNAMIC "\"version\":1,\"boot_id\":\"" BOOT "\",\"dynamic_sockets\":true,"

/* 70 times the same, which is more relays than there are. */
#define TEN(x)     x x x x x x x x x x
#define SEVENTY(x) TEN(x) TEN(x) TEN(x) TEN(x) TEN(x) TEN(x) TEN(x)

static const struct {
	const char *text;
	int code;
	const char *words;
} bad[] = {
        {"", EINVAL, "line 1"},
        {"{", EINVAL, "line 1"},
        {"garbage", EINVAL, "line 1"},
        {"\x7f\x45LF\x01\x02", EINVAL, "line 1"},
        {"null", EINVAL, "line 1"},
        {"[]", EINVAL, "version"},
        {"{}", EINVAL, "version"},
        {"{\"version\":\"1\"}", EINVAL, "version"},
        {"{\"version\":1.0}", EINVAL, "version"},
        {"{\"version\":99999999999999999999}", EINVAL, "line 1"},
        /* another version: nothing else in it matters */
        {"{\"version\":2,\"relays\":7}", ENOTSUP, "version 2"},
        {"{\"version\":0}", ENOTSUP, "version 0"},
        {"{\"version\":-1}", ENOTSUP, "version -1"},
        /* keys: missing, of another type, unknown, twice */
        {"{\"version\":1}", EINVAL, "boot_id"},
        {"{\"version\":1,\"boot_id\":\"" BOOT "\"}", EINVAL, "dynamic_sockets"},
        {"{" STATIC "\"relays\":[]}", EINVAL, "pins"},
        {"{" STATIC "\"pins\":[]}", EINVAL, "relays"},
        {"{\"version\":1,\"boot_id\":7,\"dynamic_sockets\":false,\"relays\":[],\"pins\":[]}",
         EINVAL, "integer"},
        {"{\"version\":1,\"boot_id\":\"" BOOT "\",\"dynamic_sockets\":0,\"relays\":[],\"pins\":[]}",
         EINVAL, "true or false"},
        {"{" STATIC "\"relays\":[],\"pins\":[],\"more\":1}", EINVAL, "unpacked"},
        {"{" STATIC "\"relays\":[],\"relays\":[],\"pins\":[]}", EINVAL, "duplicate"},
        {"{" STATIC "\"relays\":[],\"pins\":[]} more", EINVAL, "end of file"},
        {"{" STATIC "\"relays\":{},\"pins\":[]}", EINVAL, "relays"},
        {"{" STATIC "\"relays\":null,\"pins\":[]}", EINVAL, "relays"},
        {"{" STATIC "\"relays\":[],\"pins\":7}", EINVAL, "pins"},
        /* relays */
        {"{" STATIC "\"relays\":[7],\"pins\":[]}", EINVAL, "a relay"},
        {"{" STATIC "\"relays\":[[]],\"pins\":[]}", EINVAL, "a relay"},
        {"{" STATIC "\"relays\":[{}],\"pins\":[]}", EINVAL, "id"},
        {"{" STATIC "\"relays\":[{\"id\":1}],\"pins\":[]}", EINVAL, "device"},
        {"{" STATIC "\"relays\":[{\"device\":\"net_null1\"}],\"pins\":[]}", EINVAL, "id"},
        {"{" STATIC "\"relays\":[{\"id\":\"1\",\"device\":\"net_null1\"}],\"pins\":[]}", EINVAL,
         "integer"},
        {"{" STATIC "\"relays\":[{\"id\":1.5,\"device\":\"net_null1\"}],\"pins\":[]}", EINVAL,
         "integer"},
        {"{" STATIC "\"relays\":[{\"id\":64,\"device\":\"net_null1\"}],\"pins\":[]}", EINVAL,
         "relay 64"},
        {"{" STATIC "\"relays\":[{\"id\":-1,\"device\":\"net_null1\"}],\"pins\":[]}", EINVAL,
         "relay -1"},
        {"{" STATIC "\"relays\":[{\"id\":4294967296,\"device\":\"net_null1\"}],\"pins\":[]}",
         EINVAL, "relay 4294967296"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":7}],\"pins\":[]}", EINVAL, "string"},
        {"{" STATIC
         "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"far\":\"guest\"}],\"pins\":[]}",
         EINVAL, "its far end can be \"kernel\" only"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"far\":1}],\"pins\":[]}",
         EINVAL, "string"},
        {"{" DYNAMIC "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"socket\":\"/a\","
         "\"far\":\"kernel\"}],\"pins\":[]}",
         EINVAL, "unpacked"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":null}],\"pins\":[]}", EINVAL, "string"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"owner\":1}],\"pins\":[]}",
         EINVAL, "unpacked"},
        {"{" STATIC
         "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"socket\":\"/a\"}],\"pins\":[]}",
         EINVAL, "unpacked"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"net_null1\"},"
         "{\"id\":1,\"device\":\"net_null2\"}],\"pins\":[]}",
         EINVAL, "twice"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"0000:05:08.a\"}],\"pins\":[]}", EINVAL,
         "relay 1"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"5:8.1\"},"
         "{\"id\":2,\"device\":\"0000:05:08.1\"}],\"pins\":[]}",
         EINVAL, "twice"},
        {"{" STATIC "\"relays\":[" SEVENTY("{},") "{}],\"pins\":[]}", EINVAL, "relays"},
        /* devices that a client may not name either */
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"\"}],\"pins\":[]}", EINVAL, "relay 1"},
        {"{" STATIC
         "\"relays\":[{\"id\":1,\"device\":\"net_pcap0,tx_pcap=/etc/passwd\"}],\"pins\":[]}",
         EINVAL, "not admitted"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"net_vhost0,iface=/etc/x\"}],\"pins\":[]}",
         EINVAL, "not admitted"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"crypto_null0\"}],\"pins\":[]}", EINVAL,
         "neither a PCI"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"net_ring0,internal=0x1\"}],\"pins\":[]}",
         EINVAL, "not admitted"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"net_null0\\u0000,x\"}],\"pins\":[]}",
         EINVAL, "line 1"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"net_null0\\n\"}],\"pins\":[]}", EINVAL,
         "white space"},
        {"{" STATIC "\"relays\":[{\"id\":1,\"device\":\"\xff\"}],\"pins\":[]}", EINVAL, "decode"},
        /* sockets */
        {"{" DYNAMIC "\"relays\":[{\"id\":1,\"device\":\"net_null1\"}],\"pins\":[]}", EINVAL,
         "socket"},
        {"{" DYNAMIC
         "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"socket\":null}],\"pins\":[]}",
         EINVAL, "string"},
        {"{" DYNAMIC
         "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"socket\":\"\"}],\"pins\":[]}",
         EINVAL, "absolute"},
        {"{" DYNAMIC
         "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"socket\":\"a\"}],\"pins\":[]}",
         EINVAL, "absolute"},
        {"{" DYNAMIC
         "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"socket\":\"/a\\nb\"}],\"pins\":[]}",
         EINVAL, "plain"},
        {"{" DYNAMIC "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"socket\":\"/" SEVENTY(
                 "xx") "\"}],\"pins\":[]}",
         EINVAL, "long"},
        {"{" DYNAMIC "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"socket\":\"/a\"},"
         "{\"id\":2,\"device\":\"net_null2\",\"socket\":\"/a\"}],\"pins\":[]}",
         EINVAL, "twice"},
        /* pins */
        {"{" STATIC "\"relays\":[],\"pins\":[{\"id\":1,\"vf_to_vm_cpu\":1}]}", EINVAL,
         "vm_to_vf_cpu"},
        {"{" STATIC "\"relays\":[],\"pins\":[{\"id\":64,\"vf_to_vm_cpu\":1,\"vm_to_vf_cpu\":1}]}",
         EINVAL, "relay 64"},
        {"{" STATIC "\"relays\":[],\"pins\":[{\"id\":1,\"vf_to_vm_cpu\":-2,\"vm_to_vf_cpu\":1}]}",
         EINVAL, "CPU"},
        {"{" STATIC "\"relays\":[],\"pins\":[{\"id\":1,\"vf_to_vm_cpu\":1,\"vm_to_vf_cpu\":1024}]}",
         EINVAL, "CPU"},
        {"{" STATIC "\"relays\":[],\"pins\":[{\"id\":1,\"vf_to_vm_cpu\":1,\"vm_to_vf_cpu\":1},"
         "{\"id\":1,\"vf_to_vm_cpu\":2,\"vm_to_vf_cpu\":2}]}",
         EINVAL, "twice"},
        {"{" STATIC "\"relays\":[],\"pins\":[" SEVENTY("{},") "{}]}", EINVAL, "pins"},
};

START_TEST(malformed)
{
	ck_assert_msg(parse(bad[_i].text) == -bad[_i].code, "taken: %s", bad[_i].text);
	ck_assert_msg(strstr(err.text, bad[_i].words) != NULL, "%s: %s", bad[_i].text, err.text);
	for (const char *c = err.text; *c != '\0'; c++)
		ck_assert_msg((unsigned char)*c >= ' ', "%s: %s", bad[_i].text, err.text);
	expect_nothing();
}
END_TEST

/* The table's own frame is sound. */
START_TEST(well_formed)
{
	ck_assert_int_eq(parse("{" STATIC "\"relays\":[],\"pins\":[]}"), 0);
	ck_assert_int_eq(parse("{" DYNAMIC
	                       "\"relays\":[{\"id\":1,\"device\":\"net_null1\",\"socket\":\"/a\"}],"
	                       "\"pins\":[{\"id\":1,\"vf_to_vm_cpu\":1,\"vm_to_vf_cpu\":-1}]}"),
	                 0);
	ck_assert_uint_eq(back.n_relays, 1);
	ck_assert_str_eq(back.relays[0].device.name, "net_null1");
	ck_assert_str_eq(back.relays[0].socket, "/a");
}
END_TEST

/* Nesting without an end must not eat the stack. */
START_TEST(deep)
{
	char *text = malloc(STATE_TEXT_MAX);

	ck_assert_ptr_nonnull(text);
	memset(text, '[', STATE_TEXT_MAX);
	ck_assert_int_eq(state_parse(text, STATE_TEXT_MAX, BOOT, &back, &err), -EINVAL);
	free(text);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_test(tcase, relays_by_number);
	tcase_add_test(tcase, pairs);
	tcase_add_test(tcase, all_relays);
	tcase_add_test(tcase, another_boot);
	tcase_add_test(tcase, torn);
	tcase_add_loop_test(tcase, malformed, 0, sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, well_formed);
	tcase_add_test(tcase, deep);
	return suite_main("state", tcase);
}
