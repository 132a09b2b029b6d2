/* What systemd is told, and that nobody waits for a systemd that does not read. */
#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "suite.h"
#include "sys/notify.h"

static int systemd;
static struct sockaddr_un address;

/* A path, or an abstract name. */
static void serve(const char *name)
{
	size_t len = strlen(name);

	systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address.sun_path, name, len);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	ck_assert_int_eq(
	        bind(systemd, (struct sockaddr *)&address,
	             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (name[0] == '/'))),
	        0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static const char *heard(void)
{
	static char text[128];
	ssize_t n = recv(systemd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return NULL;
	text[n] = '\0';
	return text;
}

START_TEST(systemd_hears)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/unit-notify-%d", _i == 0 ? "/tmp" : "@", (int)getpid());
	serve(path);
	notify_ready();
	ck_assert_str_eq(heard(), "READY=1");
	notify_watchdog();
	ck_assert_str_eq(heard(), "WATCHDOG=1");
	notify_stopping();
	ck_assert_str_eq(heard(), "STOPPING=1");
	notify_reloading();
	ck_assert_ptr_nonnull(strstr(heard(), "RELOADING=1\nMONOTONIC_USEC="));
	close(systemd);
	if (_i == 0)
		unlink(path);
}
END_TEST

START_TEST(nobody_wants_to_know)
{
	static const char *const names[] = {"", "/", "relative", "vsock:2:1", "/no/such/socket"};

	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		notify_ready();
		notify_watchdog();
	}
}
END_TEST

/* sd_notify does not return from the message that finds the queue full. */
START_TEST(a_systemd_that_does_not_read)
{
	unsigned n = 0;

	serve("@/unit-notify-full");
	for (unsigned i = 0; i < 2000; i++)
		notify_watchdog();
	notify_ready();
	while (heard() != NULL)
		n++;
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_lt(n, 2000);
	notify_ready();
	ck_assert_str_eq(heard(), "READY=1");
	close(systemd);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, systemd_hears, 0, 2);
	tcase_add_test(tcase, nobody_wants_to_know);
	tcase_add_test(tcase, a_systemd_that_does_not_read);
	return suite_main("notify", tcase);
}
