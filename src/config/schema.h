/* The one list of what can be configured: each row is an option, a variable, or both. The command
 * line, the configuration file, --help and the man page are all made from it. Constant data.
 */
#ifndef CONFIG_SCHEMA_H
#define CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

/* What a value looks like, and the C type of its field in struct config. */
enum schema_type {
	SCHEMA_REQUEST,    /* no field: what to do instead of running; command line only */
	SCHEMA_FLAG,       /* bool; a variable switches it on with any value that is not empty */
	SCHEMA_ENABLE,     /* bool; a variable that only "true" switches on */
	SCHEMA_FOREGROUND, /* two bools: --nodaemon and its log_syslog */
	SCHEMA_LEVEL,      /* int, min … max */
	SCHEMA_NUMBER,     /* unsigned, min … max */
	SCHEMA_FRACTION,   /* double, min … max */
	SCHEMA_CPUS,       /* struct cpu_set */
	SCHEMA_FILE,       /* char *: a path, relative ones allowed */
	SCHEMA_PATH,       /* char *: an absolute path */
	SCHEMA_ACCOUNT,    /* char *: a user's or group's name */
	SCHEMA_ENDPOINT,   /* char *: ipc:// or tcp:// */
	SCHEMA_METRICS,    /* char *: unix: or tcp:// on the loopback */
	SCHEMA_PATTERN,    /* char *: a file name with one %u */
	SCHEMA_TOKEN,      /* char *: a UUID, "0" or "" */
	SCHEMA_CHOICE,     /* char *: one of those that the row's argument lists, as {a,b} */
	SCHEMA_BIND,       /* char *: a comma list of PCI addresses and network devices */
	SCHEMA_BINARY,     /* no field: accepted, and compared with our own name */
	SCHEMA_PINS,       /* list: pins, n_pins */
	SCHEMA_STATIC_VF,  /* list: static_vfs */
	SCHEMA_KERNEL_VF,  /* list: static_vfs too, whose far ends are the kernel's */
	SCHEMA_VLANS,      /* list: vlans */
	SCHEMA_WORDS,      /* list: eal_args */
};

enum schema_need { NEED_NOTHING, NEED_VALUE, MAY_HAVE_VALUE };

enum schema_group {
	GROUP_CPUS,
	GROUP_DEVICES,
	GROUP_SOCKETS,
	GROUP_ENDPOINTS,
	GROUP_BALANCER,
	GROUP_PROCESS,
	GROUP_REQUESTS,
	GROUP_COUNT,
};

enum schema_request {
	REQUEST_RUN,
	REQUEST_HELP,
	REQUEST_VERSION,
	REQUEST_MAN,
	REQUEST_CHECK,
	REQUEST_BIND,
	REQUEST_UNBIND,
};

struct schema_row {
	const char *option; /* long name, or NULL: a variable only */
	char letter;        /* short name, or 0 */
	const char *variable;
	enum schema_type type;
	enum schema_need need;
	const char *argument; /* the value's name in the help, when there can be one */
	double min, max;      /* of numbers, both included */
	bool lenient;         /* numbers beyond these are brought back, and warned about */
	const char *absent;   /* value when nobody gives one, or NULL: the field stays zero */
	const char *bare;     /* value when the option is given without one, or NULL: none */
	enum schema_request request;
	enum schema_group group;
	bool planned;     /* validated, but the feature is not in this build yet */
	bool at_run_time; /* numbers and switches: can be changed while the daemon runs */
	size_t offset;
	const char *help; /* plain text, wrapped where it is printed; NULL: hidden */
};

extern const struct schema_row schema[];
extern const size_t schema_size;

const char *schema_group_title(enum schema_group group);
/* True for the rows whose values add up; of the others the last value counts. */
bool schema_is_list(const struct schema_row *row);
/* True for the rows whose field is a string that the configuration owns. */
bool schema_is_string(const struct schema_row *row);
const struct schema_row *schema_find_option(const char *name);
const struct schema_row *schema_find_letter(int letter);
const struct schema_row *schema_find_variable(const char *name, size_t len);

#endif
