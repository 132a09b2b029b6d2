/* The keys of tcp endpoints: the daemon's own, and those of the clients that may come in. In a
 * directory, as Z85 text of 40 characters each: server.key holds the daemon's secret key, each file
 * clients/NAME.pub one client's public key. Files that others than root and the daemon's user could
 * change are refused, and a secret that everybody may read. Belongs to who loaded them.
 */
#ifndef RPC_TRANSPORT_CURVE_KEYS_H
#define RPC_TRANSPORT_CURVE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define CURVE_KEY_SIZE    32
#define CURVE_KEY_TEXT    41 /* 40 characters and the NUL */
#define CURVE_CLIENTS_MAX 4096

struct curve_keys {
	char secret[CURVE_KEY_TEXT]; /* the server's */
	size_t n_clients;
	uint8_t (*clients)[CURVE_KEY_SIZE];
};

/* 0, or -errno with err: which file, and what is wrong with it. */
int curve_keys_load(const char *directory, struct curve_keys *out, struct error *err);
void curve_keys_free(struct curve_keys *keys); /* harmless when zero-initialised */

bool curve_keys_admit(const struct curve_keys *keys, const uint8_t key[CURVE_KEY_SIZE]);
/* Whether they admit the same clients. */
bool curve_keys_same_clients(const struct curve_keys *a, const struct curve_keys *b);

#endif
