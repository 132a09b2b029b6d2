/* See grace.h. */
#include "vhost/grace.h"

void grace_init(struct grace *grace, const struct grace_source *source)
{
	*grace = (struct grace){.source = *source};
}

/* A period that is under way began before whatever the caller has just taken away. */
uint64_t grace_want(struct grace *grace)
{
	grace->wanted = grace->done + (grace->under_way ? 2 : 1);
	return grace->wanted;
}

bool grace_look(struct grace *grace)
{
	if (grace->under_way && grace->source.over(grace->source.context, grace->token)) {
		grace->under_way = false;
		grace->done++;
	}
	if (!grace->under_way && grace->done < grace->wanted)
		grace->under_way = grace->source.begin(grace->source.context, &grace->token);
	return grace->done < grace->wanted;
}

bool grace_is_over(struct grace *grace, uint64_t number)
{
	if (grace->done < number)
		grace_look(grace);
	return grace->done >= number;
}
