/* --help and the man page's tables, made from the schema.
 */
#ifndef CONFIG_HELP_H
#define CONFIG_HELP_H

#include <stdio.h>

void help_print(FILE *out);
void help_print_version(FILE *out);

/* Copies in to out; the line "@OPTIONS@" becomes the options' list, "@VARIABLES@" the variables'
 * table, and @VERSION@ the version, in man(7)'s language. 0 or -EIO. */
int help_print_man(FILE *in, FILE *out);

#endif
