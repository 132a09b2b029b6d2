/* Helper threads; see job.h. None of this is near the packet path, so a mutex serves.
 */
#include "event/job.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/loop.h"

STAILQ_HEAD(job_list, job);

struct job_thread {
	struct loop *loop;
	pthread_t thread;
	int done_fd; /* eventfd: helper writes, control reads */
	pthread_mutex_t lock;
	pthread_cond_t submitted, finished;
	struct job_list todo, results; /* under lock */
	unsigned unfinished;           /* under lock; submitted and not yet run */
	bool stop;                     /* under lock */
};

static void *job_thread_run(void *context)
{
	struct job_thread *thread = context;
	uint64_t one = 1;

	pthread_mutex_lock(&thread->lock);
	for (;;) {
		struct job *job = STAILQ_FIRST(&thread->todo);

		if (job == NULL && thread->stop)
			break;
		if (job == NULL) {
			pthread_cond_wait(&thread->submitted, &thread->lock);
			continue;
		}
		STAILQ_REMOVE_HEAD(&thread->todo, link);
		pthread_mutex_unlock(&thread->lock);
		job->run(job);
		pthread_mutex_lock(&thread->lock);
		STAILQ_INSERT_TAIL(&thread->results, job, link);
		thread->unfinished--;
		pthread_cond_broadcast(&thread->finished);
		if (write(thread->done_fd, &one, sizeof(one)) < 0)
			continue; /* the counter is full: control will look anyway */
	}
	pthread_mutex_unlock(&thread->lock);
	return NULL;
}

static void on_results(void *context)
{
	struct job_thread *thread = context;
	uint64_t count;

	if (read(thread->done_fd, &count, sizeof(count)) < 0)
		return;
	job_thread_deliver(thread);
}

struct job_thread *job_thread_create(const char *name, struct loop *loop)
{
	struct job_thread *thread = calloc(1, sizeof(*thread));
	pthread_condattr_t monotonic;
	int rc;

	if (thread == NULL)
		return NULL;
	thread->loop = loop;
	STAILQ_INIT(&thread->todo);
	STAILQ_INIT(&thread->results);
	pthread_mutex_init(&thread->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&thread->submitted, &monotonic);
	pthread_cond_init(&thread->finished, &monotonic);
	pthread_condattr_destroy(&monotonic);

	thread->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (thread->done_fd < 0) {
		rc = -errno;
		goto fail_memory;
	}
	rc = loop_add_fd(loop, thread->done_fd, LOOP_READABLE, on_results, thread);
	if (rc < 0)
		goto fail_fd;
	/* It inherits the control thread's CPU, the main lcore's: no worker's. */
	rc = -pthread_create(&thread->thread, NULL, job_thread_run, thread);
	if (rc != 0)
		goto fail_loop;
	pthread_setname_np(thread->thread, name);
	return thread;
fail_loop:
	loop_remove_fd(loop, thread->done_fd);
fail_fd:
	close(thread->done_fd);
fail_memory:
	free(thread);
	errno = -rc;
	return NULL;
}

void job_submit(struct job_thread *thread, struct job *job)
{
	pthread_mutex_lock(&thread->lock);
	STAILQ_INSERT_TAIL(&thread->todo, job, link);
	thread->unfinished++;
	pthread_cond_signal(&thread->submitted);
	pthread_mutex_unlock(&thread->lock);
}

void job_thread_deliver(struct job_thread *thread)
{
	struct job_list results = STAILQ_HEAD_INITIALIZER(results);
	struct job *job;

	pthread_mutex_lock(&thread->lock);
	STAILQ_CONCAT(&results, &thread->results);
	pthread_mutex_unlock(&thread->lock);
	while ((job = STAILQ_FIRST(&results)) != NULL) {
		STAILQ_REMOVE_HEAD(&results, link);
		job->done(job);
	}
}

bool job_thread_drain(struct job_thread *thread, unsigned timeout_ms)
{
	struct timespec until = clock_after_ms(timeout_ms);
	bool finished;

	pthread_mutex_lock(&thread->lock);
	while (thread->unfinished > 0)
		if (pthread_cond_timedwait(&thread->finished, &thread->lock, &until) == ETIMEDOUT)
			break;
	finished = thread->unfinished == 0;
	pthread_mutex_unlock(&thread->lock);
	job_thread_deliver(thread);
	return finished;
}

void job_thread_destroy(struct job_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	thread->stop = true;
	pthread_cond_signal(&thread->submitted);
	pthread_mutex_unlock(&thread->lock);
	pthread_join(thread->thread, NULL);
	loop_remove_fd(thread->loop, thread->done_fd);
	close(thread->done_fd);
	pthread_cond_destroy(&thread->submitted);
	pthread_cond_destroy(&thread->finished);
	pthread_mutex_destroy(&thread->lock);
	free(thread);
}
