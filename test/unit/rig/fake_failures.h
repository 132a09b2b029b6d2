/* Functions of DPDK's that fail when they are told to, and do their work otherwise.
 *
 * What a test adds with WRAP_INT it names itself.
 * WRAP: rte_eth_dev_configure rte_eth_dev_start rte_pktmbuf_pool_create
 * WRAP: rte_mempool_create_empty
 */
#ifndef FAKE_FAILURES_H
#define FAKE_FAILURES_H

#include <stdbool.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

/* The wrapped function that fails, and with what: after `passes` good calls, `times` of them. The
 * name is gone when it has. */
static struct {
	const char *name;
	int code, passes, times;
} failing;

static inline bool fails(const char *name)
{
	if (failing.name == NULL || strcmp(failing.name, name) != 0 || failing.passes-- > 0)
		return false;
	if (--failing.times == 0)
		failing.name = NULL;
	return true;
}

static inline void let_fail(const char *name, int code, int passes, int times)
{
	failing.name = name;
	failing.code = code;
	failing.passes = passes;
	failing.times = times;
}

#define WRAP_INT(name, parameters, arguments)                                 \
	int __real_##name parameters;                                         \
	int __wrap_##name parameters;                                         \
	int __wrap_##name parameters                                          \
	{                                                                     \
		return fails(#name) ? failing.code : __real_##name arguments; \
	}

WRAP_INT(rte_eth_dev_configure,
         (uint16_t port, uint16_t rx, uint16_t tx, const struct rte_eth_conf *conf),
         (port, rx, tx, conf))
WRAP_INT(rte_eth_dev_start, (uint16_t port), (port))

struct rte_mempool *__real_rte_pktmbuf_pool_create(const char *name, unsigned n, unsigned cache,
                                                   uint16_t priv, uint16_t room, int socket);
struct rte_mempool *__wrap_rte_pktmbuf_pool_create(const char *name, unsigned n, unsigned cache,
                                                   uint16_t priv, uint16_t room, int socket);
struct rte_mempool *__wrap_rte_pktmbuf_pool_create(const char *name, unsigned n, unsigned cache,
                                                   uint16_t priv, uint16_t room, int socket)
{
	if (!fails("rte_pktmbuf_pool_create"))
		return __real_rte_pktmbuf_pool_create(name, n, cache, priv, room, socket);
	rte_errno = failing.code;
	return NULL;
}

struct rte_mempool *__real_rte_mempool_create_empty(const char *name, unsigned n, unsigned size,
                                                    unsigned cache, unsigned priv, int socket,
                                                    unsigned flags);
struct rte_mempool *__wrap_rte_mempool_create_empty(const char *name, unsigned n, unsigned size,
                                                    unsigned cache, unsigned priv, int socket,
                                                    unsigned flags);
struct rte_mempool *__wrap_rte_mempool_create_empty(const char *name, unsigned n, unsigned size,
                                                    unsigned cache, unsigned priv, int socket,
                                                    unsigned flags)
{
	if (!fails("rte_mempool_create_empty"))
		return __real_rte_mempool_create_empty(name, n, size, cache, priv, socket, flags);
	rte_errno = failing.code;
	return NULL;
}

#endif
