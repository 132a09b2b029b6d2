/* CPU sets and pins, see cpu_set.h. Plain values, no state of its own. */
#include "base/cpu_set.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/parse.h"

void cpu_set_add(struct cpu_set *set, unsigned cpu)
{
	set->words[cpu / 64] |= UINT64_C(1) << cpu % 64;
}

bool cpu_set_has(const struct cpu_set *set, unsigned cpu)
{
	return cpu < CPU_SET_SIZE && (set->words[cpu / 64] >> cpu % 64 & 1) != 0;
}

unsigned cpu_set_count(const struct cpu_set *set)
{
	unsigned count = 0;

	for (size_t i = 0; i < CPU_SET_SIZE / 64; i++)
		count += (unsigned)__builtin_popcountll(set->words[i]);
	return count;
}

int cpu_set_next(const struct cpu_set *set, int after)
{
	for (unsigned cpu = after < 0 ? 0 : (unsigned)after + 1; cpu < CPU_SET_SIZE; cpu++) {
		if (cpu_set_has(set, cpu))
			return (int)cpu;
	}
	return -1;
}

static const char ellipsis[] = "…";

/* The part of text up to the first separator goes to part; returns what stands behind the
 * separator, or NULL at the end. A part that is too long for anything valid keeps its beginning,
 * for the message, and gets an ellipsis, so that the rest cannot go unnoticed. */
static const char *next_part(const char *text, char separator, char *part, size_t size)
{
	size_t len = strcspn(text, (char[]){separator, '\0'});

	if (len < size)
		snprintf(part, size, "%.*s", (int)len, text);
	else
		snprintf(part, size, "%.*s%s", (int)(size - sizeof(ellipsis)), text, ellipsis);
	return text[len] == '\0' ? NULL : text + len + 1;
}

static int parse_cpu(const char *text, unsigned *out, struct error *err)
{
	uint32_t cpu;

	switch (parse_u32(text, 0, CPU_SET_SIZE - 1, &cpu)) {
	case 0:
		*out = cpu;
		return 0;
	case -ERANGE:
		return error_set(err, EINVAL, "CPU %s is out of range: CPUs are 0 to %d", text,
		                 CPU_SET_SIZE - 1);
	default:
		return error_set(err, EINVAL, "\"%s\" is not a CPU number (0 to %d)", text,
		                 CPU_SET_SIZE - 1);
	}
}

static int parse_mask(const char *digits, struct cpu_set *set, struct error *err)
{
	size_t len = strlen(digits);

	if (len == 0)
		return error_set(err, EINVAL,
		                 "the mask 0x has no digits: write 0x6 for CPUs 1 and 2");
	for (size_t i = 0; i < len; i++) {
		uint64_t digit;

		if (parse_hex(&digits[len - 1 - i], 1, 1, &digit) < 0)
			return error_set(err, EINVAL,
			                 "'%c' in the mask 0x%.80s is not a hexadecimal digit",
			                 digits[len - 1 - i], digits);
		if (digit == 0)
			continue;
		if (i >= CPU_SET_SIZE / 4)
			return error_set(err, EINVAL, "the mask names CPUs above %d",
			                 CPU_SET_SIZE - 1);
		set->words[i / 16] |= digit << i % 16 * 4;
	}
	return 0;
}

static int parse_range(const char *text, struct cpu_set *set, struct error *err)
{
	char part[24];
	unsigned first = 0, last = 0;
	const char *rest = next_part(text, '-', part, sizeof(part));

	if (parse_cpu(part, &first, err) < 0)
		return -err->code;
	last = first;
	if (rest != NULL && parse_cpu(rest, &last, err) < 0)
		return -err->code;
	if (last < first)
		return error_set(err, EINVAL, "the range %s runs backwards: write %u-%u", text,
		                 last, first);
	for (unsigned cpu = first; cpu <= last; cpu++)
		cpu_set_add(set, cpu);
	return 0;
}

int cpu_set_parse(const char *text, struct cpu_set *out, struct error *err)
{
	struct cpu_set set = {{0}};

	if (*text == '\0')
		return error_set(err, EINVAL,
		                 "no CPU is named: write a list (1,2 or 1-3) or a mask (0x6)");
	if (string_starts_with(text, "0x") || string_starts_with(text, "0X")) {
		if (parse_mask(text + 2, &set, err) < 0)
			return -err->code;
	} else {
		char part[48];

		for (const char *rest = text; rest != NULL;) {
			rest = next_part(rest, ',', part, sizeof(part));
			if (parse_range(part, &set, err) < 0)
				return -err->code;
		}
	}
	if (cpu_set_count(&set) == 0)
		return error_set(err, EINVAL,
		                 "the mask %.80s names no CPU: write 0x6 for CPUs 1 and 2", text);
	*out = set;
	return 0;
}

char *cpu_set_format(const struct cpu_set *set, char *out, size_t size)
{
	size_t len = 0, cut_at = 0;

	if (size == 0)
		return out;
	out[0] = '\0';
	for (int first = cpu_set_next(set, -1); first >= 0;) {
		char piece[32];
		int last = first, n;

		while (cpu_set_has(set, (unsigned)last + 1))
			last++;
		n = snprintf(piece, sizeof(piece), last > first ? "%s%d-%d" : "%s%d",
		             len > 0 ? "," : "", first, last);
		if (len + (size_t)n >= size) {
			out[cut_at] = '\0';
			if (cut_at + sizeof(ellipsis) <= size)
				memcpy(out + cut_at, ellipsis, sizeof(ellipsis));
			break;
		}
		memcpy(out + len, piece, (size_t)n + 1);
		len += (size_t)n;
		if (len + sizeof(ellipsis) <= size)
			cut_at = len;
		first = cpu_set_next(set, last);
	}
	return out;
}

static int parse_pin(const char *text, struct cpu_pin *pin, struct error *err)
{
	char part[24];
	uint32_t relay_id;
	unsigned cpu = 0;
	const char *rest = next_part(text, ':', part, sizeof(part));

	if (rest == NULL)
		return error_set(err, EINVAL,
		                 "\"%s\" is not a pin: write relay:cpu or relay:cpu,cpu (VF-to-VM "
		                 "first), such as 3:1,2",
		                 text);
	if (parse_u32(part, 0, RELAYS_MAX - 1, &relay_id) < 0)
		return error_set(err, EINVAL, "pin \"%s\": \"%s\" is not a relay id (0 to %d)",
		                 text, part, RELAYS_MAX - 1);
	pin->relay_id = relay_id;
	rest = next_part(rest, ',', part, sizeof(part));
	if (parse_cpu(part, &cpu, err) < 0)
		return error_prefix(err, "pin \"%s\": ", text);
	pin->vf_to_vm_cpu = pin->vm_to_vf_cpu = (int)cpu;
	if (rest == NULL)
		return 0;
	if (parse_cpu(rest, &cpu, err) < 0)
		return error_prefix(err, "pin \"%s\": ", text);
	pin->vm_to_vf_cpu = (int)cpu;
	return 0;
}

int cpu_pins_parse(const char *text, struct cpu_pin *pins, size_t capacity, size_t *count,
                   struct error *err)
{
	size_t n = *count;
	char part[64];

	for (const char *rest = text; rest != NULL;) {
		struct cpu_pin pin = {0};

		rest = next_part(rest, ';', part, sizeof(part));
		if (parse_pin(part, &pin, err) < 0)
			return -err->code;
		for (size_t i = 0; i < n; i++) {
			if (pins[i].relay_id == pin.relay_id)
				return error_set(err, EINVAL,
				                 "relay %u is pinned twice: name each relay once",
				                 pin.relay_id);
		}
		if (n >= capacity)
			return error_set(err, EINVAL, "more than %zu pins", capacity);
		pins[n++] = pin;
	}
	*count = n;
	return 0;
}
