/* A helper thread for work that may take long: control submits jobs, the thread runs them in
 * order, and each job's `done` runs on the control thread afterwards. A job's memory belongs to
 * its submitter, except between job_submit and `done`, when it is the helper's.
 */
#ifndef EVENT_JOB_H
#define EVENT_JOB_H

#include <stdbool.h>
#include <sys/queue.h>

struct loop;

struct job {
	STAILQ_ENTRY(job) link;
	void (*run)(struct job *job);  /* on the helper thread */
	void (*done)(struct job *job); /* on the control thread */
};

struct job_thread;

/* name is at most 15 characters. Results are delivered through loop. NULL + errno. */
struct job_thread *job_thread_create(const char *name, struct loop *loop);
void job_submit(struct job_thread *thread, struct job *job);
/* Runs the `done`s of finished jobs now, without waiting for the loop's turn. */
void job_thread_deliver(struct job_thread *thread);
/* Waits until everything submitted has been run, at most timeout_ms, and delivers it.
 * False when something still runs. */
bool job_thread_drain(struct job_thread *thread, unsigned timeout_ms);
/* Only after a successful drain. */
void job_thread_destroy(struct job_thread *thread);

#endif
