/* Errors with words: what a caller reports to an operator or a client.
 * A function that can fail for a reason worth telling takes a `struct error *` (the caller's, on
 * its stack, never NULL), fills it once and returns -code. Nothing here is shared between threads.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#define ERROR_TEXT_MAX 512 /* bytes, the terminating NUL included; longer texts are cut */

struct error {
	int code; /* an errno value, or a service's own code where its header says so; 0 = no error
	           */
	char text[ERROR_TEXT_MAX]; /* one sentence: what was asked, why not, what would work */
};

/* Store code and text. Returns -code, so that `return error_set(err, EINVAL, "…")` reads well. */
int error_set(struct error *err, int code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Put words in front of the text already there ("option --cpus: " …). Returns -err->code. */
int error_prefix(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
