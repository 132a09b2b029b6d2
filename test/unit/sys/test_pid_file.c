/* Pid files: one holder at a time, whatever ends it. */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "fake_tree.h"
#include "suite.h"
#include "sys/pid_file.h"

static struct error err;

static int content_pid(const char *path)
{
	FILE *file = fopen(path, "r");
	int pid = -1;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%d", &pid), 1);
	fclose(file);
	return pid;
}

START_TEST(holds_and_removes)
{
	const char *path = tree_path("a.pid");
	struct stat st;
	int fd = pid_file_lock(path, &err);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(content_pid(path), getpid());
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 022, 0);
	pid_file_unlock(path, fd);
	ck_assert_int_lt(access(path, F_OK), 0);
}
END_TEST

START_TEST(names_the_holder)
{
	char expected[64];
	int fd = pid_file_lock(tree_path("a.pid"), &err);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pid_file_lock(tree_path("a.pid"), &err), -EADDRINUSE);
	snprintf(expected, sizeof(expected), "another instance runs (pid %d)", (int)getpid());
	ck_assert_ptr_nonnull(strstr(err.text, expected));
	ck_assert_int_eq(content_pid(tree_path("a.pid")), getpid());
	pid_file_unlock(tree_path("a.pid"), fd);
}
END_TEST

START_TEST(replaces_stale_ones)
{
	int fd;

	tree_file("a.pid", "99999999 and some rest that is longer than a number\n");
	fd = pid_file_lock(tree_path("a.pid"), &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(content_pid(tree_path("a.pid")), getpid());
	pid_file_unlock(tree_path("a.pid"), fd);

	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		(void)pid_file_lock(tree_path("b.pid"), &err);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_int_eq(content_pid(tree_path("b.pid")), child);
	fd = pid_file_lock(tree_path("b.pid"), &err);
	ck_assert_int_ge(fd, 0);
	pid_file_unlock(tree_path("b.pid"), fd);
}
END_TEST

START_TEST(leaves_others_files_alone)
{
	int fd;

	tree_file("file", "precious");
	tree_link("link", "file");
	ck_assert_int_eq(pid_file_lock(tree_path("link"), &err), -EEXIST);
	ck_assert_int_eq(mkdir(tree_path("directory"), 0755), 0);
	ck_assert_int_eq(pid_file_lock(tree_path("directory"), &err), -EEXIST);
	ck_assert_int_eq(mkfifo(tree_path("fifo"), 0600), 0);
	ck_assert_int_eq(pid_file_lock(tree_path("fifo"), &err), -EEXIST);
	ck_assert_int_eq(pid_file_lock(tree_path("missing/a.pid"), &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "create it"));

	/* Whoever took the name away and put another file there keeps that. */
	fd = pid_file_lock(tree_path("a.pid"), &err);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(unlink(tree_path("a.pid")), 0);
	tree_file("a.pid", "1\n");
	pid_file_unlock(tree_path("a.pid"), fd);
	ck_assert_int_eq(access(tree_path("a.pid"), F_OK), 0);
}
END_TEST

/* Eight processes take and give it back in turns: never two at once. */
START_TEST(one_holder_at_a_time)
{
	for (int i = 0; i < 8; i++) {
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		if (child != 0)
			continue;
		for (int taken = 0; taken < 200;) {
			int fd = pid_file_lock(tree_path("a.pid"), &err);

			if (fd < 0 && err.code != EADDRINUSE && err.code != EAGAIN)
				_exit(1);
			if (fd < 0) {
				usleep(50);
				continue;
			}
			int witness = open(tree_path("witness"), O_CREAT | O_EXCL, 0600);
			if (witness < 0)
				_exit(2);
			close(witness);
			unlink(tree_path("witness"));
			pid_file_unlock(tree_path("a.pid"), fd);
			taken++;
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++) {
		int status;

		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
}
END_TEST

START_TEST(keeps_its_file)
{
	struct stat st;
	int fd = pid_file_lock(tree_path("a.pid"), &err), before = fd;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fchmod(fd, 0604), 0);
	ck_assert_int_eq(pid_file_keep(tree_path("a.pid"), &fd, &err), 0);
	ck_assert_int_eq(fd, before);
	ck_assert_int_eq(unlink(tree_path("a.pid")), 0);
	ck_assert_int_eq(pid_file_keep(tree_path("a.pid"), &fd, &err), 1);
	ck_assert_int_eq(content_pid(tree_path("a.pid")), getpid());
	ck_assert_int_eq(stat(tree_path("a.pid"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0604);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(pid_file_lock(tree_path("a.pid"), &err), -EADDRINUSE);
	pid_file_unlock(tree_path("a.pid"), fd);
	ck_assert_int_lt(access(tree_path("a.pid"), F_OK), 0);
}
END_TEST

START_TEST(keeps_off_others_files)
{
	int fd = pid_file_lock(tree_path("a.pid"), &err), before = fd;
	struct stat st;

	ck_assert_int_eq(unlink(tree_path("a.pid")), 0);
	tree_file("a.pid", "precious");
	ck_assert_int_eq(pid_file_keep(tree_path("a.pid"), &fd, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "somebody else's"));
	ck_assert_int_eq(fd, before);
	ck_assert_int_eq(stat(tree_path("a.pid"), &st), 0);
	ck_assert_int_eq(st.st_size, 8);
	ck_assert_int_eq(pid_file_keep(tree_path("nowhere/a.pid"), &fd, &err), -ENOENT);
	pid_file_unlock(tree_path("a.pid"), fd);
	ck_assert_int_eq(access(tree_path("a.pid"), F_OK), 0);
}
END_TEST

int main(void)
{
	TCase *tcase = tcase_create("all");

	tcase_add_checked_fixture(tcase, tree_create, tree_remove);
	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, holds_and_removes);
	tcase_add_test(tcase, names_the_holder);
	tcase_add_test(tcase, replaces_stale_ones);
	tcase_add_test(tcase, leaves_others_files_alone);
	tcase_add_test(tcase, one_holder_at_a_time);
	tcase_add_test(tcase, keeps_its_file);
	tcase_add_test(tcase, keeps_off_others_files);
	return suite_main("pid_file", tcase);
}
