/* The people of an account: who belongs to it, in which role, and the links by which they come in.
 * Page and API call the same functions. Nobody gives a role that may more than they may themselves,
 * nor changes or removes who may more; an account keeps an admin who can sign in. */
#ifndef ACCOUNT_PEOPLE_H
#define ACCOUNT_PEOPLE_H
#include "account/account-internal.h"
#include "base/word.h"

extern const struct word account_roles[];

struct person {
	struct uuid id;
	const char *email, *name, *role;
	int64_t joined_us, seen_us; /* seen: the latest of the sessions here; 0 none */
	bool has_second_factor, is_disabled;
};
/* Newest first, counted; *n of them. s->rows is left alone. */
int people_list(struct app *app, struct arena *a, const struct uuid *account_id, struct slice *s,
    struct person **out, size_t *n, struct err *err);
/* 1, 0, -1 */
int person_find(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *id, struct person *out, struct err *err);
/* ERR_NOT_FOUND; ERR_INVALID on "role"; ERR_DENIED; ERR_CONFLICT: the last admin. */
int person_role_set(struct req *r, const struct uuid *id, struct str role, struct err *err);
/* Ends the person's sessions here; who belongs to no other account is forgotten. Errors as above.
 */
int person_remove(struct req *r, const struct uuid *id, struct err *err);

/* A member as the rule about the last admin sees one. */
struct member_role {
	struct uuid user_id;
	const char *role;
	bool is_disabled;
};
/* Would the account lose its last admin who can sign in, if this member had that role (NULL: were
 * gone)? */
bool people_lack_admin(
    const struct member_role *members, size_t n, const struct uuid *user_id, const char *role);
/* The same of the account's members, whose rows are locked until the transaction ends:
 * ERR_CONFLICT. */
int people_keep_admin(struct db *db, struct arena *a, const struct uuid *account_id,
    const struct uuid *user_id, const char *role, struct err *err);

/* ---- links: one-time secrets in an address, shown once, kept as SHA-256 ---------------------- */
struct link {
	struct uuid handle, account_id, user_id; /* user_id: whose password; nil of invitations */
	const char *email, *role;                /* of invitations */
	const char *account_name, *maker;        /* maker: NULL when not known any more */
	int64_t created_us, expires_us;
};
#define LINKS_MOST 200 /* open invitations of an account */
/* Invites an address, or anew: an earlier link of the same address no longer holds. *url is the
 * link's only appearance. ERR_INVALID; ERR_DENIED; ERR_CONFLICT: a member already, or too many. */
int invite_make(struct req *r, struct str email, struct str role, struct link *out,
    const char **url, struct err *err);
/* Open and expired ones, the latest first: at most LINKS_MOST. */
int invite_list(struct app *app, struct arena *a, const struct uuid *account_id, struct link **out,
    size_t *n, struct err *err);
int invite_find(struct app *app, struct arena *a, const struct uuid *account_id,
    const struct uuid *handle, struct link *out, struct err *err);
/* 1, 0 there was none, -1. */
int invite_withdraw(struct req *r, const struct uuid *handle, struct err *err);
/* The invitation of a token that holds: 1, 0, -1. is_known: a person has the address already. */
int invite_of_token(
    struct req *r, struct str token, struct link *out, bool *is_known, struct err *err);
/* Uses it up: makes the person and the membership. 1; 0 the token does not hold (any more); -1.
 * user_id: who has the address already and has proved it, else nil. */
int invite_accept(struct req *r, struct str token, const struct uuid *user_id, struct str name,
    struct str password, struct account_member *out, struct err *err);
/* A link by which a member of this account alone, and not the actor, makes a new password. */
int password_link_make(struct req *r, const struct person *p, const char **url, struct err *err);
/* For who has lost their phone and their recovery codes: of the same people. They sign in with
 * their password alone until they set it up anew; where they are signed in stays as it is.
 * ERR_DENIED; ERR_CONFLICT. */
int person_factor_off(struct req *r, const struct person *p, struct err *err);
int password_link_of_token(struct req *r, struct str token, struct link *out, struct err *err);
/* 1; 0 the token does not hold (any more); -1. Ends all sessions and bearer tokens. */
int password_link_use(struct req *r, struct str token, struct str password, struct err *err);
#endif
