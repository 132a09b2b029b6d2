/* The time. All of it is CLOCK_MONOTONIC, which no one sets, but for the thread's own CPU time; for
 * any thread. Tests that run the time themselves wrap clock_now_ms.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

uint64_t clock_now_ms(void);
uint64_t clock_now_us(void);
uint64_t clock_now_ns(void);
/* CPU time that the calling thread has used so far. */
uint64_t clock_thread_ms(void);
/* When so many ms will have gone by, for pthread_cond_timedwait and the like. */
struct timespec clock_after_ms(unsigned ms);

#endif
