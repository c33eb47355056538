/* Text-keyed hash table, owned by an arena; insertion order is kept for walking. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>

#include "base/str.h"

struct map;

struct map *map_new(struct arena *a);
void map_put(struct map *m, struct str key, void *value); /* key is copied; replaces */
void *map_get(const struct map *m, struct str key);       /* NULL when absent */
size_t map_count(const struct map *m);
/* The i-th entry in insertion order, i < map_count. */
struct str map_key(const struct map *m, size_t i);
void *map_value(const struct map *m, size_t i);

#endif
