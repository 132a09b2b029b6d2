/* Helper threads whose jobs run when the test says so, and not before.
 *
 * WRAP: job_submit
 */
#ifndef FAKE_JOBS_H
#define FAKE_JOBS_H

#include <check.h>
#include <stdbool.h>

#include "event/job.h"

enum thread { DEVICE, GUEST, STATE, THREADS };

STAILQ_HEAD(job_queue, job);
static struct job_queue submitted[THREADS];
static char threads[THREADS]; /* only their addresses count */

static inline struct job_thread *thread_of(enum thread thread)
{
	return (struct job_thread *)&threads[thread];
}

/* At the beginning, too: there are none. */
static inline void forget_jobs(void)
{
	for (unsigned i = 0; i < THREADS; i++)
		STAILQ_INIT(&submitted[i]);
}

void __wrap_job_submit(struct job_thread *thread, struct job *job);

void __wrap_job_submit(struct job_thread *thread, struct job *job)
{
	STAILQ_INSERT_TAIL(&submitted[(char *)thread - threads], job, link);
}

static inline bool idle(enum thread thread)
{
	return STAILQ_EMPTY(&submitted[thread]);
}

/* The first half of a job: what its thread does. Whoever calls it has to call its done(). */
static inline struct job *runs(enum thread thread)
{
	struct job *job = STAILQ_FIRST(&submitted[thread]);

	ck_assert_ptr_nonnull(job);
	STAILQ_REMOVE_HEAD(&submitted[thread], link);
	job->run(job);
	return job;
}

/* What ends the loop's turn in which a job's end is delivered, if the test has that. */
static void (*job_turn_ends)(void);

static inline void delivers(struct job *job)
{
	job->done(job);
	if (job_turn_ends != NULL)
		job_turn_ends();
}

static inline void works(enum thread thread)
{
	delivers(runs(thread));
}

/* Devices and sockets, but not the saved state's file. */
static inline void ends_work(void)
{
	while (!idle(DEVICE) || !idle(GUEST))
		works(idle(DEVICE) ? GUEST : DEVICE);
}

#endif
