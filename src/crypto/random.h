/* Randomness fit for secrets. Small wishes are served from a pool, wiped as it is handed out and
 * forgotten by a child process. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H
#include <stddef.h>
#include <stdint.h>
struct arena;
/* Fills from the kernel's generator; aborts where there is none. */
void random_bytes(void *p, size_t n);
uint64_t random_u64(void);
/* Uniform in [0,n). */
uint64_t random_below(uint64_t n);
/* n random bytes as unpadded base64url text. */
char *random_token(struct arena *a, size_t n);
#endif
