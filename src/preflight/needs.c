/* Relays' memory before there are relays. See needs.h. */
#include "preflight/needs.h"

#include "base/sizes.h"

unsigned needs_queues(const struct config *config)
{
	unsigned workers = cpu_set_count(&config->worker_cpus);

	if (config->max_queues > 0)
		return config->max_queues;
	return workers < VF_QUEUES_USUAL ? workers : VF_QUEUES_USUAL;
}

uint64_t needs_pool_bytes(const struct config *config, unsigned queues)
{
	const unsigned mtu = config->jumbo ? MTU_JUMBO : MTU_USUAL;
	const struct sizes_pool pool = {.queues = queues,
	                                .ports = 1,
	                                .rxd = SIZES_RING,
	                                .txd = SIZES_RING,
	                                .backlog = SIZES_BACKLOG,
	                                .frame_mbufs = sizes_frame_mbufs(mtu, SIZES_MBUF_DATA),
	                                .n_workers = cpu_set_count(&config->worker_cpus),
	                                .mbuf_data = SIZES_MBUF_DATA};

	return sizes_pool_bytes(&pool);
}

uint64_t needs_rings_bytes(unsigned queues)
{
	return queues * SIZES_QUEUE_BYTES;
}

uint64_t needs_relay_bytes(const struct config *config, unsigned queues)
{
	return needs_pool_bytes(config, queues) + needs_rings_bytes(queues);
}
