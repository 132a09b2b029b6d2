/* --help and the man page's tables, made from the schema.
 */
#ifndef CONFIG_HELP_H
#define CONFIG_HELP_H

#include <stdio.h>

void help_print(FILE *out);
void help_print_version(FILE *out);

/* A part of the manual page that another module knows. */
struct help_part {
	const char *mark;         /* a line of the template, with its newline */
	void (*print)(FILE *out); /* writes what stands there instead */
};

/* Copies in to out; the line "@OPTIONS@" becomes the options' list, "@VARIABLES@" the variables'
 * table, the marks of parts what these print, @VERSION@ the version, and an option's name as in
 * @cpus@ its default, all in man(7)'s language. 0 or -EIO. */
int help_print_man(FILE *in, FILE *out, const struct help_part *parts, size_t n_parts);

/* Plain text in man(7)'s language. */
void help_put_roff(FILE *out, const char *text);

#endif
