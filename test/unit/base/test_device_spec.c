/* Devices as text: PCI addresses in every spelling, the vdevs that are admitted, and what a client
 * might try with a device string.
 */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "base/device_spec.h"
#include "suite.h"

#define DIGITS_60 "000000000000000000000000000000000000000000000000000000000000"

static const struct {
	const char *text, *name, *label; /* name NULL: refused, and label is a part of why */
} devices[] = {
        {"0000:05:08.1", "0000:05:08.1", "0000:05:08.1"},
        {"05:08.1", "0000:05:08.1", "0000:05:08.1"},
        {"5:8.1", "0000:05:08.1", "0000:05:08.1"},
        {"0000:AF:1f.7", "0000:af:1f.7", "0000:AF:1F.7"},
        {"10000:e1:00.0", "10000:e1:00.0", "10000:E1:00.0"},
        {"ffffffff:ff:1f.7", "ffffffff:ff:1f.7", "FFFFFFFF:FF:1F.7"},
        {"00000000:00:00.0", "0000:00:00.0", "0000:00:00.0"},
        {"net_tap0", "net_tap0", "net_tap0"},
        {"net_tap0,iface=vf0", "net_tap0", "net_tap0"},
        {"net_null7,size=64,copy=1", "net_null7", "net_null7"},
        {"net_ring12", "net_ring12", "net_ring12"},
        {"net_af_packet0,iface=eth0", "net_af_packet0", "net_af_packet0"},
        {"net_memif0,role=client,socket=/run/memif,socket-abstract=no", "net_memif0", "net_memif0"},
        {"net_memif0,role=server,socket=memif", "net_memif0", "net_memif0"},
        {"net_memif0,role=server,socket-abstract=yes", "net_memif0", "net_memif0"},

        {"", NULL, "no device is named"},
        {"0000:05:08.8", NULL, "neither a PCI address"},
        {"0000:05:20.0", NULL, "neither a PCI address"},
        {"0000:100:08.1", NULL, "neither a PCI address"},
        {"100000000:05:08.1", NULL, "neither a PCI address"},
        {"0000:05:08", NULL, "neither a PCI address"},
        {"0000:05.1", NULL, "neither a PCI address"},
        {"05.08:1", NULL, "neither a PCI address"},
        {"0000:05:08.1.1", NULL, "neither a PCI address"},
        {"0:0000:05:08.1", NULL, "neither a PCI address"},
        {":05:08.1", NULL, "neither a PCI address"},
        {"0000::08.1", NULL, "neither a PCI address"},
        {"0000:05:.1", NULL, "neither a PCI address"},
        {"0000:05:08.", NULL, "neither a PCI address"},
        {"0000:05:08.-1", NULL, "neither a PCI address"},
        {"0x0:05:08.1", NULL, "neither a PCI address"},
        {"0000:05:08.1,foo=1", NULL, "neither a PCI address"},
        {"pci:0000:05:08.1", NULL, "neither a PCI address"},
        {"eth0", NULL, "neither a PCI address"},
        {"vdev:net_tap0", NULL, "neither a PCI address"},
        {"bus=vdev,name=net_tap0", NULL, "neither a PCI address"},
        {" 0000:05:08.1", NULL, "white space"},
        {"0000:05:08.1\n", NULL, "white space"},
        {"net_tap0,iface=a b", NULL, "white space, quotes"},
        {"net_tap0,iface=\"a\"", NULL, "white space, quotes"},
        {"net_tap0,iface='a'", NULL, "white space, quotes"},
        {"net_tap0,iface=`a`", NULL, "white space, quotes"},
        {"net_tap0,iface=a\\b", NULL, "white space, quotes"},
        {"net_tap0,iface=\xc3\xa4", NULL, "white space, quotes"},
        {"net_tap0,iface=\x7f", NULL, "white space, quotes"},

        {"net_pcap0,tx_pcap=/etc/passwd", NULL, "its driver is not admitted"},
        {"net_kni0", NULL, "its driver is not admitted"},
        {"net_vhost0,iface=/tmp/x", NULL, "its driver is not admitted"},
        {"net_failsafe0,exec(rm)", NULL, "its driver is not admitted"},
        {"net_bonding0", NULL, "its driver is not admitted"},
        {"net_", NULL, "its driver is not admitted"},
        {"NET_TAP0", NULL, "neither a PCI address"},
        {"net_tap", NULL, "a number must follow"},
        {"net_tapx", NULL, "a number must follow"},
        {"net_tap0x", NULL, "a number must follow"},
        {"net_tap,iface=vf0", NULL, "a number must follow"},
        {"net_null_0", NULL, "a number must follow"},
        {"net_tap" DIGITS_60, NULL, "longer than 63 characters"},
        {"net_tap0,", NULL, "is not an argument"},
        {"net_tap0,,iface=a", NULL, "is not an argument"},
        {"net_tap0,=a", NULL, "is not an argument"},
        {"net_tap0,if/ace=a", NULL, "is not an argument"},
        {"net_ring0,internal=0x1234", NULL, "internal= is not admitted"},
        {"net_ring0,nodeaction=a:0:CREATE", NULL, "nodeaction= is not admitted"},
        {"net_ring0,internal", NULL, "internal= is not admitted"},
        {"net_ring0,=internal=1", NULL, "is not an argument"},
        {"net_ring0,a=[b,internal=1]", NULL, "internal= is not admitted"},
        {"net_memif0,role=server,socket=/etc/x,socket-abstract=no", NULL, "no socket file"},
        {"net_memif0,socket-abstract=no,role=master", NULL, "no socket file"},
        {"net_memif0,role=client,role=server,socket-abstract=yes,socket-abstract=no", NULL,
         "no socket file"},
};

START_TEST(reads_devices)
{
	struct device_spec spec, before;
	struct error err = {0};
	char label[DEVICE_NAME_MAX];
	int rc;

	memset(&spec, 0xa5, sizeof(spec));
	before = spec;
	rc = device_spec_parse(devices[_i].text, &spec, &err);
	if (devices[_i].name == NULL) {
		ck_assert_int_eq(rc, -EINVAL);
		ck_assert_msg(strstr(err.text, devices[_i].label) != NULL, "%s: %s",
		              devices[_i].text, err.text);
		ck_assert_mem_eq(&spec, &before, sizeof(spec));
		return;
	}
	ck_assert_msg(rc == 0, "%s: %s", devices[_i].text, err.text);
	ck_assert_str_eq(spec.name, devices[_i].name);
	ck_assert_str_eq(spec.devargs, spec.is_pci ? devices[_i].name : devices[_i].text);
	device_spec_label(&spec, label);
	ck_assert_str_eq(label, devices[_i].label);
}
END_TEST

START_TEST(says_why_even_of_long_strings)
{
	struct device_spec spec;
	struct error err;
	unsigned relay_id;
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(device_spec_parse(text, &spec, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "longer than 255 characters"));
	memcpy(text, "net_tap0,iface=", 15);
	ck_assert_int_eq(device_spec_parse(text, &spec, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "longer than 255 characters"));
	ck_assert_int_eq(static_vf_parse(text + 15, &spec, &relay_id, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "the relay is missing"));
	text[sizeof(text) - 2] = '3';
	ck_assert_int_eq(static_vf_parse(text, &spec, &relay_id, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "is not a relay id (0 to 63)"));
	text[sizeof(text) - 3] = '=';
	ck_assert_int_eq(static_vf_parse(text, &spec, &relay_id, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "longer than 255 characters"));

	/* The longest that fits. */
	text[255] = '\0';
	ck_assert_int_eq(device_spec_parse(text, &spec, &err), 0);
	ck_assert_str_eq(spec.devargs, text);
}
END_TEST

START_TEST(compares_as_numbers)
{
	struct device_spec a, b;
	struct error err;

	ck_assert_int_eq(device_spec_parse("0000:af:08.1", &a, &err), 0);
	ck_assert_int_eq(device_spec_parse("AF:08.1", &b, &err), 0);
	ck_assert(device_spec_equal(&a, &b));
	ck_assert_int_eq(device_spec_parse("af:08.2", &b, &err), 0);
	ck_assert(!device_spec_equal(&a, &b));
	ck_assert_int_eq(device_spec_parse("10000:af:08.1", &b, &err), 0);
	ck_assert(!device_spec_equal(&a, &b));
	ck_assert_int_eq(device_spec_parse("net_tap0,iface=x", &a, &err), 0);
	ck_assert(!device_spec_equal(&a, &b));
	/* The same device, whatever its arguments. */
	ck_assert_int_eq(device_spec_parse("net_tap0,iface=y", &b, &err), 0);
	ck_assert(device_spec_equal(&a, &b));
	ck_assert_int_eq(device_spec_parse("net_tap1,iface=x", &b, &err), 0);
	ck_assert(!device_spec_equal(&a, &b));
}
END_TEST

START_TEST(takes_numbers_of_messages)
{
	struct pci_address address;
	struct device_spec spec = {0};
	struct error err;
	char text[PCI_ADDRESS_TEXT_MAX];

	ck_assert_int_eq(pci_address_from_numbers(UINT32_MAX, 0xff, 0x1f, 7, &address, &err), 0);
	pci_address_format(&address, text);
	ck_assert_str_eq(text, "FFFFFFFF:FF:1F.7");
	pci_address_format_sysfs(&address, text);
	ck_assert_str_eq(text, "ffffffff:ff:1f.7");
	ck_assert_int_eq(pci_address_from_numbers(0, 0x100, 0, 0, &address, &err), -EINVAL);
	ck_assert_int_eq(pci_address_from_numbers(0, 0, 0x20, 0, &address, &err), -EINVAL);
	ck_assert_int_eq(pci_address_from_numbers(0, 0, 0, 8, &address, &err), -EINVAL);
	ck_assert_str_eq(
	        err.text,
	        "0:0:0.8 is not a PCI address: bus, slot and function end at FF, 1F and 7");
	ck_assert_int_eq(
	        pci_address_from_numbers(0, UINT32_MAX, UINT32_MAX, UINT32_MAX, &address, &err),
	        -EINVAL);
	/* The address may be the specification's own. */
	spec.pci = (struct pci_address){.bus = 5, .slot = 8, .function = 1};
	device_spec_from_pci(&spec.pci, &spec);
	ck_assert(spec.is_pci);
	ck_assert_str_eq(spec.devargs, "0000:05:08.1");
	ck_assert_int_eq(pci_address_parse("05:08.9", &address, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "write it as 0000:05:08.1"));
}
END_TEST

static const struct {
	const char *text, *devargs; /* devargs NULL: refused */
	unsigned relay_id;
} static_vfs[] = {
        {"0000:05:08.1=0", "0000:05:08.1", 0},
        {"05:08.1=63", "0000:05:08.1", 63},
        {"net_tap0,iface=vf0=3", "net_tap0,iface=vf0", 3},
        {"net_tap0=3", "net_tap0", 3},
        {"05:08.1", NULL, 0},
        {"05:08.1=", NULL, 0},
        {"05:08.1=64", NULL, 0},
        {"05:08.1=-1", NULL, 0},
        {"05:08.1=3=", NULL, 0},
        {"05:08.1==3", NULL, 0},
        {"=3", NULL, 0},
        {"=", NULL, 0},
        {"", NULL, 0},
        {"3=05:08.1", NULL, 0},
        {"05:08.1 =3", NULL, 0},
        {"05:08.1= 3", NULL, 0},
        {"net_tap0,iface=vf0", NULL, 0},
};

START_TEST(reads_static_vfs)
{
	struct device_spec spec;
	struct error err = {0};
	unsigned relay_id = 99;
	int rc = static_vf_parse(static_vfs[_i].text, &spec, &relay_id, &err);

	ck_assert_int_eq(rc, static_vfs[_i].devargs != NULL ? 0 : -EINVAL);
	if (rc < 0) {
		ck_assert_str_ne(err.text, "");
		ck_assert_uint_eq(relay_id, 99);
		return;
	}
	ck_assert_str_eq(spec.devargs, static_vfs[_i].devargs);
	ck_assert_uint_eq(relay_id, static_vfs[_i].relay_id);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_loop_test(tcase, reads_devices, 0, sizeof(devices) / sizeof(devices[0]));
	tcase_add_test(tcase, says_why_even_of_long_strings);
	tcase_add_test(tcase, compares_as_numbers);
	tcase_add_test(tcase, takes_numbers_of_messages);
	tcase_add_loop_test(tcase, reads_static_vfs, 0, sizeof(static_vfs) / sizeof(static_vfs[0]));
	return suite_main("device_spec", tcase);
}
