/* Members that leave a running bond, and return. See mend.h. */
#include "vf/mend.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "datapath/worker.h"
#include "vf/bond.h"
#include "vf/configure.h"

static void member_give_up(struct vf *vf, unsigned index, const struct vf_params *params,
                           struct workers *workers, struct vf_mended *mended)
{
	struct error err;
	bool link_up;
	uint32_t speed;

	vf_health_read_port(vf->members[index].port_id, &link_up, &speed, &mended->gone[index]);
	int rc = bond_member_leave(vf, index);
	if (rc != 0)
		log_warn("%s does not let %s go: %s", vf->spec.name,
		         bond_member_name(params, index), vf_explain(rc));
	/* A worker may be in the middle of a burst that knows of the member. */
	workers_synchronize(workers);
	if (bond_member_unprobe(vf, index, &err) < 0)
		log_warn("%s, lost: %s", bond_member_name(params, index), err.text);
}

static int member_take_back(struct vf *vf, unsigned index, const struct vf_params *params,
                            struct error *err)
{
	struct error ignored;

	if (bond_member_probe(vf, index, params, err) < 0)
		return -1;
	if (bond_check_memory(vf, params, err) < 0)
		goto fail;
	if (vf_configure_member(vf, index, params, err) < 0)
		goto fail;
	int rc = bond_member_join(vf, index);
	if (rc == 0)
		return 0;
	error_set(err, BOND_ERROR_MEMBER, "%s cannot become a member of %s again: %s",
	          bond_member_name(params, index), vf->spec.name, vf_explain(rc));
fail:
	(void)bond_member_unprobe(vf, index, &ignored); /* the reason is what counts */
	return -1;
}

int vf_mend(struct vf *vf, const struct vf_params *params, unsigned lost, unsigned wanted,
            struct workers *workers, struct vf_mended *mended, struct error *err)
{
	unsigned survivors = 0;
	int absent = 0;

	*mended = (struct vf_mended){0};
	for (unsigned i = 0; i < vf->n_members; i++)
		if (vf->members[i].present && (lost >> i & 1) == 0)
			survivors++;
	if (survivors == 0) {
		error_set(err, BOND_ERROR_MEMBER, "%s has no member left", vf->spec.name);
		return -1;
	}

	for (unsigned i = 0; i < vf->n_members; i++)
		if (vf->members[i].present && (lost >> i & 1) != 0)
			member_give_up(vf, i, params, workers, mended);
	for (unsigned i = 0; i < vf->n_members; i++) {
		if (vf->members[i].present)
			continue;
		if ((wanted >> i & 1) != 0 && member_take_back(vf, i, params, err) == 0)
			mended->returned |= 1U << i;
		else
			absent++;
	}
	vf->generation++;
	/* Of zeros: so all members that are active now get the bond's address and modes, which the
	 * PMD does not see to when the one that it used was taken out. */
	vf_health_read(vf, &mended->health);
	return absent;
}
