/* The command line as settings. */
#ifndef CONFIG_CLI_H
#define CONFIG_CLI_H

#include "config/settings.h"

/* Appends what argv says to settings. *request becomes what is to be done; --help and --version
 * end the reading. Uses getopt's global state: not for two threads at once. 0 or -errno. */
int cli_parse(int argc, char *const argv[], struct settings *settings, enum schema_request *request,
              struct error *err);

#endif
