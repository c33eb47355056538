/* Email addresses as people write them. */
#ifndef BASE_EMAIL_H
#define BASE_EMAIL_H

#include "base/str.h"

/* The address that a text gives, NUL-ended and owned by the arena: without what stands around it
 * (blanks, marks, quotes, "mailto:", what follows "?"), dashes and full-width forms as ASCII, in
 * lower case and NFC. {NULL,0} when it is none that mail would be sent to: a blank or mark inside,
 * more or less than one @, an empty label, a label with a hyphen at its end, no dot behind the @,
 * or more than 254 bytes (RFC 5321), 64 of them before the @. Quoted local parts and addresses of
 * numbers are none either. What it gives is its own result. */
struct str email_normal(struct arena *a, struct str text);

#endif
