/* OVSDB's rows: what each asks for, and which gets what. */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_tree.h"
#include "ovsdb/row_content.h"
#include "ovsdb/rows.h"
#include "suite.h"

static struct error err;

/* --- one row ------------------------------------------------------------------------------------
 */

/* Text with ' for ". */
static json_t *json(const char *format, ...) __attribute__((format(printf, 1, 2)));

static json_t *json(const char *format, ...)
{
	static char text[1 << 16];
	json_error_t error;
	va_list args;

	va_start(args, format);
	ck_assert_int_lt(vsnprintf(text, sizeof(text), format, args), (int)sizeof(text));
	va_end(args);
	for (char *c = text; *c != '\0'; c++)
		if (*c == '\'')
			*c = '"';
	json_t *value = json_loads(text, JSON_DECODE_ANY, &error);
	ck_assert_msg(value != NULL, "%s: %s", error.text, text);
	return value;
}

static struct row_content content;
static enum row_ids reading; /* of what names the relay */

static int read_columns(json_t *columns)
{
	int rc = row_content_read(columns, reading, &content);

	json_decref(columns);
	return rc;
}

/* Maps are given as "['k','v'],['k','v']". */
static int read_row(const char *options, const char *external_ids)
{
	return read_columns(json("{'name':'p','options':['map',[%s]],'external_ids':['map',[%s]]}",
	                         options, external_ids));
}

static void expect_fault(const char *options, const char *external_ids, const char *part)
{
	ck_assert_int_eq(read_row(options, external_ids), 0);
	ck_assert_msg(strstr(content.fault, part) != NULL, "%s", content.fault);
}

START_TEST(rows_name_their_relay)
{
	ck_assert_int_eq(read_row("", ""), -ENOENT);
	ck_assert_int_eq(read_row("", "['x','y'],['virtio_forwarders','3']"), -ENOENT);
	ck_assert_int_eq(read_row("['virtio_forwarder','3']", ""), -ENOENT);
	ck_assert_int_eq(read_row("", "['virtio_forwarder','']"), -ENOENT);
	ck_assert_int_eq(read_row("", "['x','y'],['virtio_forwarder','63']"), 0);
	ck_assert_uint_eq(content.relay_id, 63);
	ck_assert_str_eq(content.fault, "");
	ck_assert_str_eq(content.name, "p");
	ck_assert_int_eq(content.kind, ROW_DEVICE_NETDEV);
	ck_assert_int_eq(read_row("", "['virtio_relay','0']"), 0);
	ck_assert_uint_eq(content.relay_id, 0);
	ck_assert_int_eq(read_row("", "['virtio_relay','5'],['virtio_forwarder','5']"), 0);
	ck_assert_str_eq(content.fault, "");
	ck_assert_uint_eq(content.relay_id, 5);

	expect_fault("", "['virtio_forwarder','64']", "\"64\", which is no relay; ids are 0 to 63");
	expect_fault("", "['virtio_relay','a']", "external_ids:virtio_relay is \"a\"");
	expect_fault("", "['virtio_forwarder','-1']", "no relay");
	expect_fault("", "['virtio_forwarder',' 1']", "no relay");
	expect_fault("", "['virtio_forwarder','1x']", "no relay");
	expect_fault("", "['virtio_forwarder','99999999999999999999']", "no relay");
	expect_fault("", "['virtio_forwarder','1'],['virtio_relay','2']", "give one of them");
}
END_TEST

static void expect_device(const char *options, const char *external_ids, const char *devargs)
{
	char ids[256];

	snprintf(ids, sizeof(ids), "['virtio_forwarder','3']%s", external_ids);
	ck_assert_int_eq(read_row(options, ids), 0);
	ck_assert_str_eq(content.fault, "");
	ck_assert_int_eq(content.kind, ROW_DEVICE_NAMED);
	ck_assert_str_eq(content.device.devargs, devargs);
}

START_TEST(rows_name_their_device)
{
	char options[1024];

	expect_device("['dpdk-devargs','0000:05:08.1']", "", "0000:05:08.1");
	expect_device("['dpdk-devargs','0000:AF:08.1,a=b,c=[0-3]']", "", "0000:af:08.1");
	expect_device("['dpdk-devargs','05:08.1,']", "", "0000:05:08.1");
	expect_device("['n_rxq','2'],['dpdk-devargs','net_tap0,iface=v']", "", "net_tap0,iface=v");
	expect_device("['dpdk-devargs','05:08.1']", ",['vf-pci','05:08.2']", "0000:05:08.1");
	expect_device("['dpdk-devargs','']", ",['vf-pci','05:08.2']", "0000:05:08.2");
	expect_device("", ",['vf-pci','0000:05:08.2']", "0000:05:08.2");

	expect_fault("['dpdk-devargs','class=eth,mac=00:11:22:33:44:55']",
	             "['virtio_forwarder','3']", "options:dpdk-devargs: device \"class=eth\"");
	expect_fault("['dpdk-devargs','net_pcap0,iface=x']", "['virtio_forwarder','3']",
	             "not admitted");
	expect_fault("['dpdk-devargs',',']", "['virtio_forwarder','3']", "no device is named");
	expect_fault("", "['virtio_forwarder','3'],['vf-pci','x']", "external_ids:vf-pci: ");
	snprintf(options, sizeof(options), "['dpdk-devargs','%0900d,x']", 0);
	expect_fault(options, "['virtio_forwarder','3']", "longer than 255");
	snprintf(options, sizeof(options), "['dpdk-devargs','%0100d,x']", 0);
	expect_fault(options, "['virtio_forwarder','3']", "neither a PCI address");
}
END_TEST

START_TEST(rows_of_representors)
{
	static const char *const good[] = {"3",      "[3]",      "vf3",    "vf[3]",
	                                   "pf0vf3", "pf1vf[3]", "3,dv=1", "[3],dv=1"};
	static const char *const bad[] = {"",         "[3-4]", "[3,4]",    "3-4", "sf3",
	                                  "pf0sf3",   "[3",    "pf03",     "3]",  "vf",
	                                  "c0pf0vf3", "99999", "123456789"};
	char options[128];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(options, sizeof(options), "['dpdk-devargs','05:00.0,representor=%s']",
		         good[i]);
		ck_assert_int_eq(read_row(options, "['virtio_relay','3']"), 0);
		ck_assert_msg(content.fault[0] == '\0', "%s: %s", good[i], content.fault);
		ck_assert_int_eq(content.kind, ROW_DEVICE_REPRESENTOR);
		ck_assert_uint_eq(content.vf_index, 3);
		ck_assert_str_eq(content.device.name, "0000:05:00.0");
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(options, sizeof(options), "['dpdk-devargs','05:00.0,representor=%s']",
		         bad[i]);
		if (strcmp(bad[i], "99999") == 0)
			snprintf(options, sizeof(options),
			         "['dpdk-devargs','05:00.0,x=1,representor=%s']", bad[i]);
		expect_fault(options, "['virtio_relay','3']", "does not name a single VF");
	}
}
END_TEST

START_TEST(what_is_no_row)
{
	static const char *const others[] = {
	        "{}",
	        "[]",
	        "1",
	        "{'name':'p','options':['map',[]]}",
	        "{'name':1,'options':['map',[]],'external_ids':['map',[]]}",
	        "{'name':'p','options':['set',[]],'external_ids':['map',[]]}",
	        "{'name':'p','options':['map',{}],'external_ids':['map',[]]}",
	        "{'name':'p','options':['map'],'external_ids':['map',[]]}",
	        "{'name':'p','options':[1,[]],'external_ids':['map',[]]}",
	        "{'name':'p','options':['map',[]],'external_ids':['map',[['virtio_forwarder']]]}",
	        "{'name':'p','options':['map',[]],'external_ids':['map',[['virtio_forwarder',3]]]}",
	        "{'name':'p','options':['map',[]],'external_ids':['map',[[3,'x']]]}",
	        "{'name':'p','options':['map',[]],'external_ids':['map',['x']]}",
	        "{'name':'p','options':'map','external_ids':null}",
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(read_columns(json("%s", others[i])) == -EINVAL, "%s", others[i]);
}
END_TEST

START_TEST(rows_find_their_device)
{
	struct row row = {0};

	tree_create();
	tree_link("bus/pci/devices/0000:01:00.0/virtfn1", "../0000:01:10.2");
	ck_assert_int_eq(
	        read_row("['dpdk-devargs','01:00.0,representor=1']", "['virtio_relay','3']"), 0);
	row.content = content;
	ck_assert_int_eq(row_resolve(&row, tree_root, &err), 0);
	ck_assert_str_eq(row.device.name, "0000:01:10.2");
	row.resolved = false;
	row.content.vf_index = 2;
	ck_assert_int_eq(row_resolve(&row, tree_root, &err), -ENODEV);
	ck_assert(strstr(err.text, "names VF 2 of 0000:01:00.0") != NULL);

	ck_assert_int_eq(read_row("", "['virtio_relay','3']"), 0);
	row.content = content;
	ck_assert_int_eq(row_resolve(&row, tree_root, &err), -ENODEV);
	ck_assert(strstr(err.text, "names relay 3 but no device") != NULL);
	tree_link("class/net/p/device", "../../../0000:01:10.4");
	ck_assert_int_eq(row_resolve(&row, tree_root, &err), 0);
	ck_assert_str_eq(row.device.name, "0000:01:10.4");
	/* The netdev goes when vfio-pci gets its function. */
	ck_assert_int_eq(unlink(tree_path("class/net/p/device")), 0);
	ck_assert_int_eq(row_resolve(&row, tree_root, &err), 0);
	tree_remove();
}
END_TEST

START_TEST(rows_that_only_say_yes)
{
	struct row row = {0};

	reading = ROW_IDS_VF;
	tree_create();
	tree_link("bus/pci/devices/0000:01:00.0/virtfn1", "../0000:01:10.2");
	tree_link("bus/pci/devices/0000:01:00.0/virtfn77", "../0000:01:11.2");
	tree_link("bus/pci/devices/0000:01:10.2/physfn", "../0000:01:00.0");
	tree_link("bus/pci/devices/0000:01:11.2/physfn", "../0000:01:00.0");
	tree_file("bus/pci/devices/0000:01:12.0/class", "0x020000\n");
	ck_assert_int_eq(read_row("", "['x','y']"), -ENOENT);
	/* Whatever stands there. */
	ck_assert_int_eq(read_row("['dpdk-devargs','01:00.0,representor=1']",
	                          "['virtio_forwarder','yes'],['virtio_relay','9']"),
	                 0);
	ck_assert_str_eq(content.fault, "");
	row.content = content;
	ck_assert_int_eq(row_resolve(&row, tree_root, &err), 0);
	ck_assert_str_eq(row.device.name, "0000:01:10.2");
	ck_assert_uint_eq(row.relay_id, 1);

	row.resolved = false;
	ck_assert_int_eq(read_row("['dpdk-devargs','01:10.2']", "['virtio_forwarder','1']"), 0);
	row.content = content;
	ck_assert_int_eq(row_resolve(&row, tree_root, &err), 0);
	ck_assert_uint_eq(row.relay_id, 1);
	static const char *const others[][2] = {
	        {"01:11.2", "0000:01:11.2 is VF 77, and relays are 0 to 63"},
	        {"01:12.0", "0000:01:12.0 is no VF of a PF on this machine"},
	        {"01:13.0", "0000:01:13.0 is no VF of a PF on this machine"},
	        {"net_null0", "net_null0 is no VF of a PF on this machine"},
	};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char options[64];

		snprintf(options, sizeof(options), "['dpdk-devargs','%s']", others[i][0]);
		ck_assert_int_eq(read_row(options, "['virtio_forwarder','1']"), 0);
		row.resolved = false;
		row.content = content;
		ck_assert_int_eq(row_resolve(&row, tree_root, &err), -ENODEV);
		ck_assert_msg(strstr(err.text, others[i][1]) != NULL, "%s", err.text);
		ck_assert(strstr(err.text, "VIRTIOFWD_OVSDB_IDS=relay") != NULL);
	}
	tree_remove();
	reading = ROW_IDS_RELAY;
}
END_TEST

/* --- the table ----------------------------------------------------------------------------------
 */

static struct rows rows = ROWS_INIT;

static int apply(json_t *updates, bool whole)
{
	err = (struct error){0};
	int rc = rows_apply(&rows, updates, whole, &err);
	json_decref(updates);
	ck_assert_int_eq(rc, -err.code);
	return rc;
}

#define ROW(uuid, name, id, device)                                                       \
	"'" uuid "':{'new':{'name':'" name "','options':['map',[['dpdk-devargs','" device \
	"']]],'external_ids':['map',[['virtio_forwarder','" id "']]]}}"
#define GONE(uuid) "'" uuid "':{'old':{'name':'x'}}"

static void table(bool whole, const char *updates)
{
	ck_assert_int_eq(apply(json("{'Interface':{%s}}", updates), whole), 0);
}

static const struct device_spec *has[RELAYS_MAX];
static struct row *wanted[RELAYS_MAX];

/* "3:net_null1=p …" */
static const char *chosen(void)
{
	static char text[256];
	size_t used = 0;

	text[0] = '\0';
	ck_assert(rows_choose(&rows, "/nowhere", has, wanted));
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		if (wanted[i] != NULL)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u:%s=%s",
			                         used > 0 ? " " : "", i, wanted[i]->device.name,
			                         wanted[i]->content.name);
	return text;
}

static const char *said(const char *name)
{
	struct row *row;

	LIST_FOREACH (row, &rows.list, link)
		if (strcmp(row->content.name, name) == 0)
			return row->said;
	ck_abort_msg("no row %s", name);
}

START_TEST(rows_come_change_and_go)
{
	table(true, ROW("u1", "a", "3", "net_null1") "," ROW("u2", "b", "4", "net_null2"));
	ck_assert_str_eq(chosen(), "3:net_null1=a 4:net_null2=b");
	table(false, ROW("u1", "a", "5", "net_null1") "," ROW("u3", "c", "3", "net_null3"));
	ck_assert_str_eq(chosen(), "3:net_null3=c 4:net_null2=b 5:net_null1=a");
	table(false, GONE("u2") "," GONE("unheard-of") ",'u3':{'old':null,'new':null}");
	ck_assert_str_eq(chosen(), "5:net_null1=a");
	table(false, "'u1':{'new':{'name':'a','options':['map',[]],'external_ids':['map',[]]}}");
	ck_assert_str_eq(chosen(), "");
	ck_assert_uint_eq(rows.count, 0);

	/* After a reconnection: what is not in the table has gone. */
	table(false, ROW("u1", "a", "3", "net_null1") "," ROW("u2", "b", "4", "net_null2"));
	table(true, ROW("u2", "b", "4", "net_null2"));
	ck_assert_str_eq(chosen(), "4:net_null2=b");
	ck_assert_int_eq(apply(json("{}"), false), 0);
	ck_assert_uint_eq(rows.count, 1);
	ck_assert_int_eq(apply(json("{}"), true), 0);
	ck_assert_uint_eq(rows.count, 0);
}
END_TEST

START_TEST(bad_rows_harm_no_others)
{
	table(true, ROW("u1", "a", "64", "net_null1") "," ROW(
	                    "u2", "b", "4",
	                    "net_null2") ",'u3':{'new':{}},'u4':{'new':[]}," ROW("u5", "c", "5",
	                                                                         "rm -rf"));
	ck_assert_str_eq(chosen(), "4:net_null2=b");
	ck_assert(strstr(said("a"), "is no relay") != NULL);
	ck_assert(strstr(said("c"), "white space") != NULL);
	ck_assert_str_eq(said("b"), "");
	table(true, "'u2':{'new':{'name':1}}"); /* malformed: stays as it was */
	ck_assert_str_eq(chosen(), "4:net_null2=b");

	ck_assert_int_eq(apply(json("{'Interface':[]}"), false), -EPROTO);
	ck_assert_int_eq(apply(json("[]"), false), -EPROTO);
	ck_assert_int_eq(apply(json("null"), true), -EPROTO);
	ck_assert_int_eq(apply(json("{'Interface':{'u2':1}}"), false), -EPROTO);
	ck_assert_int_eq(apply(json("{'Interface':{'%050d':{}}}", 0), false), -EPROTO);
	ck_assert_int_eq(rows_apply(&rows, NULL, true, &err), -EPROTO);
	ck_assert_str_eq(chosen(), "4:net_null2=b");
}
END_TEST

START_TEST(who_has_it_keeps_it)
{
	struct device_spec device;

	table(true, ROW("u1", "b", "3", "net_null1") "," ROW("u2", "a", "3", "net_null2") "," ROW(
	                    "u3", "a", "3", "net_null3"));
	ck_assert_str_eq(chosen(), "3:net_null2=a"); /* by name, then by uuid */
	ck_assert(strstr(said("b"), "relay 3 belongs to interface \"a\" already") != NULL);
	ck_assert(strstr(said("b"), "set VIRTIOFWD_OVSDB_IDS=vf") != NULL);

	ck_assert_int_eq(device_spec_parse("net_null1", &device, &err), 0);
	has[3] = &device;
	ck_assert_str_eq(chosen(), "3:net_null1=b");
	has[3] = NULL;
	table(true, ROW("u1", "a", "3", "net_null1") "," ROW("u2", "b", "4", "net_null1"));
	ck_assert_str_eq(chosen(), "3:net_null1=a");
	ck_assert(strstr(said("b"), "net_null1 belongs to interface \"a\" on relay 3") != NULL);
	has[4] = &device;
	ck_assert_str_eq(chosen(), "4:net_null1=b");
	has[4] = NULL;

	/* The next in line, when the first gives up. */
	table(false, GONE("u1"));
	ck_assert_str_eq(chosen(), "4:net_null1=b");
}
END_TEST

START_TEST(what_was_said_is_remembered)
{
	struct row *row;

	table(true, ROW("u1", "a", "99", "net_null1"));
	chosen();
	row = LIST_FIRST(&rows.list);
	ck_assert_str_ne(row->said, "");
	snprintf(row->said, sizeof(row->said), "%s", row->content.fault);
	table(true, ROW("u1", "a", "99", "net_null1")); /* as after a reconnection */
	ck_assert_ptr_eq(LIST_FIRST(&rows.list), row);
	ck_assert_str_ne(row->said, "");
	table(false, ROW("u1", "a", "98", "net_null1"));
	ck_assert_str_eq(row->said, "");

	/* A device that was found stays found while the row stays the same. */
	table(true, ROW("u1", "a", "3", "net_null1"));
	chosen();
	ck_assert(row->resolved);
	table(true, ROW("u1", "a", "3", "net_null1"));
	ck_assert(row->resolved);
	table(true, ROW("u1", "a", "3", "net_null2"));
	ck_assert(!row->resolved);
}
END_TEST

START_TEST(rows_have_a_bound)
{
	json_t *updates = json("{'Interface':{}}");
	char uuid[16];

	for (int i = 0; i < ROWS_MAX + 10; i++) {
		snprintf(uuid, sizeof(uuid), "u%d", i);
		json_object_set_new(json_object_get(updates, "Interface"), uuid,
		                    json("{'new':{'name':'p%d','options':['map',[['dpdk-devargs',"
		                         "'net_null%d']]],'external_ids':['map',[["
		                         "'virtio_forwarder','%d']]]}}",
		                         i, i, i % RELAYS_MAX));
	}
	ck_assert_int_eq(apply(updates, true), 0);
	ck_assert_uint_eq(rows.count, ROWS_MAX);
	ck_assert(rows.overflow);
	ck_assert(rows_choose(&rows, "/nowhere", has, wanted));
	for (unsigned i = 0; i < RELAYS_MAX; i++)
		ck_assert_ptr_nonnull(wanted[i]);
	ck_assert_int_eq(apply(json("{}"), true), 0);
	ck_assert(!rows.overflow);
}
END_TEST

static void set_up(void)
{
	log_set_level(LOG_EMERG);
	memset(has, 0, sizeof(has));
}

static void tear_down(void)
{
	rows_clear(&rows);
	ck_assert_uint_eq(rows.count, 0);
}

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, rows_name_their_relay);
	tcase_add_test(tcase, rows_name_their_device);
	tcase_add_test(tcase, rows_of_representors);
	tcase_add_test(tcase, what_is_no_row);
	tcase_add_test(tcase, rows_find_their_device);
	tcase_add_test(tcase, rows_that_only_say_yes);
	tcase_add_test(tcase, rows_come_change_and_go);
	tcase_add_test(tcase, bad_rows_harm_no_others);
	tcase_add_test(tcase, who_has_it_keeps_it);
	tcase_add_test(tcase, what_was_said_is_remembered);
	tcase_add_test(tcase, rows_have_a_bound);
	return suite_main("ovsdb_rows", tcase);
}
