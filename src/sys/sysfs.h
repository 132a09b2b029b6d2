/* Bounded reading and writing of sysfs (and of proc, which is alike). The root is a parameter
 * everywhere, so that tests can build a tree of their own. No state, any thread.
 */
#ifndef SYS_SYSFS_H
#define SYS_SYSFS_H

#include <stddef.h>
#include <stdint.h>

#define SYSFS_ROOT "/sys"

/* The file's text without the newline at its end. The path is root and format. 0 or -errno;
 * -EMSGSIZE when the text does not fit. */
int sysfs_read_text(char *out, size_t size, const char *root, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* A decimal number, negative ones too, or a hexadecimal one with 0x. 0 or -errno. */
int sysfs_read_number(int64_t *out, const char *root, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* The last component of what a link points to ("driver" -> "vfio-pci"). 0 or -errno. */
int sysfs_read_link_name(char *out, size_t size, const char *root, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* Writes text to an attribute that is there, in one write. 0 or the kernel's -errno. */
int sysfs_write_text(const char *root, const char *text, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

#endif
