/* A device thread that has one job at the most, and does it when the test says so.
 *
 * WRAP: job_submit
 */
#ifndef FAKE_LONE_JOB_H
#define FAKE_LONE_JOB_H

#include <check.h>

#include "event/job.h"

static struct job *submitted;

void __wrap_job_submit(struct job_thread *thread, struct job *job);

void __wrap_job_submit(struct job_thread *thread, struct job *job)
{
	(void)thread;
	ck_assert_ptr_null(submitted);
	submitted = job;
}

static inline void device_works(void)
{
	struct job *job = submitted;

	ck_assert_ptr_nonnull(job);
	submitted = NULL;
	job->run(job);
	job->done(job);
}

#endif
