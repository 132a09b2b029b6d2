/* Room for files: what file systems say of themselves, and what is said when it is too little.
 * WRAP: statvfs
 */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "suite.h"
#include "sys/room.h"

#define KB UINT64_C(1024)
#define MB (KB * KB)

static struct statvfs fake;
static int fake_errno;

int __wrap_statvfs(const char *path, struct statvfs *out);

int __wrap_statvfs(const char *path, struct statvfs *out)
{
	ck_assert_str_eq(path, "/tmp");
	*out = fake;
	errno = fake_errno;
	return fake_errno != 0 ? -1 : 0;
}

/* --- looking -------------------------------------------------------------------------------- */

static const struct {
	struct statvfs fs;
	bool privileged;
	uint64_t bytes, files;
} looks[] = {
        {{.f_frsize = 4096,
          .f_blocks = 100,
          .f_bfree = 20,
          .f_bavail = 10,
          .f_files = 9,
          .f_ffree = 7,
          .f_favail = 5},
         false,
         40960,
         5},
        {{.f_frsize = 4096,
          .f_blocks = 100,
          .f_bfree = 20,
          .f_bavail = 10,
          .f_files = 9,
          .f_ffree = 7,
          .f_favail = 5},
         true,
         81920,
         7},
        {{.f_frsize = 4096, .f_blocks = 100, .f_files = 9}, true, 0, 0},
        {{.f_bsize = 512, .f_blocks = 100, .f_bfree = 2, .f_files = 9, .f_ffree = 1},
         true,
         1024,
         1},
        /* without limits: ramfs, tmpfs with size=0, btrfs's inodes */
        {{.f_frsize = 4096}, true, ROOM_UNLIMITED, ROOM_UNLIMITED},
        {{.f_frsize = 4096, .f_blocks = UINT64_MAX, .f_files = UINT64_MAX},
         true,
         ROOM_UNLIMITED,
         ROOM_UNLIMITED},
        {{.f_frsize = 4096, .f_blocks = 100, .f_bfree = UINT64_MAX / 8, .f_files = 9, .f_ffree = 1},
         true,
         ROOM_UNLIMITED,
         1},
};

START_TEST(looks_at_what_is_there)
{
	struct room room;

	fake = looks[_i].fs;
	ck_assert_int_eq(room_look("/tmp/no-such-directory/below", looks[_i].privileged, &room), 0);
	ck_assert_str_eq(room.directory, "/tmp");
	ck_assert_uint_eq(room.bytes, looks[_i].bytes);
	ck_assert_uint_eq(room.files, looks[_i].files);
	ck_assert(!room.read_only);
}
END_TEST

START_TEST(tells_what_it_cannot_look_at)
{
	struct room room;

	fake_errno = EIO;
	ck_assert_int_eq(room_look("/tmp/x", true, &room), -EIO);
	fake_errno = 0;
	fake = (struct statvfs){.f_flag = ST_RDONLY};
	ck_assert_int_eq(room_look("/tmp/x", true, &room), 0);
	ck_assert(room.read_only);
}
END_TEST

/* --- judging -------------------------------------------------------------------------------- */

static const struct {
	struct room room;
	uint64_t bytes, files;
	int expected;
	const char *text;
} judgements[] = {
        {{"/run", 25 * MB, 9, false}, 25 * MB, 9, 0, NULL},
        {{"/run", ROOM_UNLIMITED, ROOM_UNLIMITED, false}, 1 << 30, 9, 0, NULL},
        {{"/run", 0, 0, false}, 0, 0, 0, NULL},
        {{"/run", 16 * MB + 1, 9, false},
         25 * MB + 1,
         9,
         -ENOSPC,
         "/run has room for 16 MB, and 26 MB are wanted for DPDK's files"},
        {{"/run", 4095, 9, false},
         4097,
         9,
         -ENOSPC,
         "/run has room for 3 kB, and 5 kB are wanted for DPDK's files"},
        {{"/run", 25 * MB, 8, false},
         1,
         9,
         -ENOSPC,
         "/run has room for 8 more files, and 9 are wanted for DPDK's files"},
        {{"/run", ROOM_UNLIMITED, ROOM_UNLIMITED, true},
         1,
         1,
         -EROFS,
         "/run is mounted read-only, and wanted for DPDK's files"},
};

START_TEST(says_what_is_missing)
{
	struct error err = {0};
	int rc = room_check(&judgements[_i].room, "DPDK's files", judgements[_i].bytes,
	                    judgements[_i].files, &err);

	ck_assert_int_eq(rc, judgements[_i].expected);
	if (rc < 0) {
		ck_assert_str_eq(err.text, judgements[_i].text);
		ck_assert_int_eq(err.code, -rc);
	}
}
END_TEST

static void set_up(void)
{
	fake = (struct statvfs){0};
	fake_errno = 0;
}

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_loop_test(tcase, looks_at_what_is_there, 0, sizeof(looks) / sizeof(looks[0]));
	tcase_add_test(tcase, tells_what_it_cannot_look_at);
	tcase_add_loop_test(tcase, says_what_is_missing, 0,
	                    sizeof(judgements) / sizeof(judgements[0]));
	return suite_main("room", tcase);
}
