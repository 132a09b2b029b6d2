/* Ports that were lost. See events.h. */
#include "vf/events.h"

#include <errno.h>
#include <sched.h>

#include <rte_dev.h>
#include <rte_ethdev.h>

#include "base/bond_spec.h"
#include "base/log.h"

/* Who is told of VFs that were lost. Static, since it is set once, before there are any VFs, and
 * DPDK has one list of callbacks for the whole process. */
static struct {
	vf_event_fn on_lost;
	void *context;
} events;

void vf_events_init(vf_event_fn on_lost, void *context)
{
	events.on_lost = on_lost;
	events.context = context;
}

static const enum rte_eth_event_type lost_events[] = {RTE_ETH_EVENT_INTR_RESET,
                                                      RTE_ETH_EVENT_INTR_RMV};

/* The relay and the member travel as the callback's argument. */
static void *argument_pack(unsigned relay_id, unsigned member)
{
	return (void *)(uintptr_t)(relay_id * BOND_MEMBERS_MAX + member);
}

static void report_loss(void *packed)
{
	unsigned number = (unsigned)(uintptr_t)packed;

	if (events.on_lost != NULL)
		events.on_lost(events.context, number / BOND_MEMBERS_MAX,
		               number % BOND_MEMBERS_MAX);
}

static int on_port_event(uint16_t port_id __rte_unused, enum rte_eth_event_type type __rte_unused,
                         void *packed, void *unused __rte_unused)
{
	report_loss(packed);
	return 0;
}

/* The kernel asks for the device: somebody unbinds it from vfio-pci, or makes its PF take its VFs
 * away, and waits until we let go of it. */
static void on_device_event(const char *name __rte_unused, enum rte_dev_event_type type,
                            void *packed)
{
	if (type == RTE_DEV_EVENT_REMOVE)
		report_loss(packed);
}

void vf_events_listen(uint16_t port_id, unsigned relay_id, unsigned member)
{
	void *argument = argument_pack(relay_id, member);
	char device[RTE_ETH_NAME_MAX_LEN];
	int rc = rte_eth_dev_get_name_by_port(port_id, device);

	if (rc == 0)
		rc = rte_dev_event_callback_register(device, on_device_event, argument);
	for (size_t i = 0; i < RTE_DIM(lost_events) && rc == 0; i++)
		rc = rte_eth_dev_callback_register(port_id, lost_events[i], on_port_event,
		                                   argument);
	if (rc != 0)
		log_warn("relay %u: no memory to hear of the VF's resets", relay_id);
}

void vf_events_ignore(uint16_t port_id)
{
	char device[RTE_ETH_NAME_MAX_LEN];

	while (rte_eth_dev_get_name_by_port(port_id, device) == 0 &&
	       rte_dev_event_callback_unregister(device, on_device_event, (void *)-1) == -EAGAIN)
		sched_yield(); /* the callback is running */
	for (size_t i = 0; i < RTE_DIM(lost_events); i++)
		while (rte_eth_dev_callback_unregister(port_id, lost_events[i], on_port_event,
		                                       (void *)-1) == -EAGAIN)
			sched_yield();
}
