/* Link headers (RFC 8288): <https://a.example/x?page=2>; rel="next", <…>; rel=previous */
#ifndef BASE_LINK_H
#define BASE_LINK_H
#include "base/str.h"

/* The target of the first link of that relation, or {NULL,0}: as it stands, perhaps relative. */
struct str link_find(struct str header, struct str rel);

#endif
