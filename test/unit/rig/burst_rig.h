/* One lane between a VF and a guest made of memory, for the tests of what a burst does.
 */
#ifndef BURST_RIG_H
#define BURST_RIG_H

#include "fake_path.h"

#define PORT      3
#define NEVER     UINT64_MAX /* stall_cycles: a stall is never over … */
#define ALWAYS    0          /* … or over at once */
#define MAX_FRAME 2122
#define PLENTY    1000000

static struct fake_vf vf;
static struct fake_guest guest;
static struct lane lane;
static struct lane_work work;

static inline void reset(enum lane_direction direction)
{
	memset(&vf, 0, sizeof(vf));
	memset(&guest, 0, sizeof(guest));
	memset(&lane, 0, sizeof(lane));
	fake_vf_install(&vf, PORT);
	guest.guest.ops = &fake_guest_ops;
	ck_assert_int_eq(lane_init(&lane, 7, direction, 1), 0);
	work = (struct lane_work){.lane = &lane,
	                          .guest = &guest.guest,
	                          .stall_cycles = NEVER,
	                          .port_id = PORT,
	                          .vf_queue = 1,
	                          .guest_queue = 2,
	                          .max_frame = MAX_FRAME,
	                          .loss = &lane.counters.absent[ABSENT_NOBODY]};
	if (direction == LANE_VM_TO_VF)
		work.from_guest = fake_guest_receive;
	else
		work.to_guest = fake_guest_send;
}

static inline void tear_down(void)
{
	fake_expect_balance(&lane);
	lane_free(&lane);
	ck_assert_int_eq(fake_packets_live, 0);
}

static inline unsigned pass(void)
{
	unsigned done = work.run(&work);

	fake_expect_balance(&lane);
	return done;
}

#define vf_rx    (&vf.rx[1])
#define vf_tx    (&vf.tx[1])
#define guest_rx (&guest.rx[2])
#define guest_tx (&guest.tx[2])

static inline uint32_t length_mixed(uint32_t seq)
{
	return 60 + seq * 37 % (MAX_FRAME - 60);
}

#endif
