/* A person as stored texts name them: by email addresses, phone numbers and ids of theirs. For
 * finding and erasing what is kept of them. */
#ifndef BASE_PERSON_H
#define BASE_PERSON_H

#include "base/json.h"
#include "base/str.h"

#define PERSON_NAMES 64
/* What stands where something was. */
#define PERSON_ERASED "[erased]"
#define PERSON_ERASED_JSON "{\"erased\":true}"

struct person_names {
	struct str emails[PERSON_NAMES]; /* as email_normal has them */
	struct str phones[PERSON_NAMES]; /* E.164 */
	struct str digits[PERSON_NAMES]; /* the phones in each way that they are written */
	struct str ids[PERSON_NAMES];    /* at a provider: only members called so are looked at */
	size_t nemails, nphones, ndigits, nids;
};

/* Adds an address, a number or an id; what is none (not normal), is there already or is one too
 * many is left out. The texts are referenced. Returns whether it is there now. */
bool person_add_email(struct person_names *p, struct str email);
bool person_add_phone(struct arena *a, struct person_names *p, struct str e164);
bool person_add_id(struct person_names *p, struct str id);
/* Adds the address and the number of a lead or record as its members say them: "email",
 * "phoneNumber" and their like, at the top or within "properties". */
void person_add_of(struct arena *a, struct person_names *p, const json_t *data);

/* May the text, of any kind (JSON, a form, free), name the person? Cheap; true too often, as where
 * an address is the end of another. Ids are not looked for. */
bool person_may_be_in(struct arena *a, const struct person_names *p, struct str text);
/* Is an address or number of theirs in a text, with nothing sticking to it that makes it another?
 * Percent escapes, capitals, and what people write between digits, are seen through. */
bool person_is_in(struct arena *a, const struct person_names *p, struct str text);
/* Is a member of the object theirs, or one of its objects' members? Lists of texts count, lists of
 * objects do not: those may be of others. */
bool person_owns(struct arena *a, const struct person_names *p, const json_t *data);
/* Does a value name them anywhere, or by an id of theirs in a member that is called an id? */
bool person_is_in_json(struct arena *a, const struct person_names *p, const json_t *value);

/* The text with each mention replaced; the same text where there is none. */
struct str person_scrub(struct arena *a, const struct person_names *p, struct str text);
/* The same of JSON, a value of the arena's: the mentions within its texts and names. */
json_t *person_scrub_json(struct arena *a, const struct person_names *p, const json_t *value);
/* In place: of the outermost lists, each element that names them goes; how many. */
size_t person_cut_items(struct arena *a, const struct person_names *p, json_t *value);

#endif
