/* See permission.h. */
#include "account/account-internal.h"

#include <string.h>

static const char *const permission_names[PERMISSION_COUNT] = {
#define PERM(c, n) [PERM_INDEX_##c] = n,
    PERMISSION_LIST(PERM)
#undef PERM
};

_Static_assert(PERMISSION_COUNT <= 63, "permissions are the bits of one word");

uint64_t permission_all(void)
{
	return (UINT64_C(1) << PERMISSION_COUNT) - 1;
}

const char *permission_name(uint64_t bits)
{
	bits &= permission_all();
	return bits == 0 ? "" : permission_names[__builtin_ctzll(bits)];
}

uint64_t permission_parse(struct str name)
{
	for (size_t i = 0; i < PERMISSION_COUNT; i++)
		if (str_is(name, permission_names[i]))
			return UINT64_C(1) << i;
	return 0;
}

static uint64_t viewer_bits(void)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < PERMISSION_COUNT; i++)
		if (str_ends(str_from(permission_names[i]), ".view"))
			bits |= UINT64_C(1) << i;
	return bits & ~(PERMIT(SETTINGS_VIEW) | PERMIT(AUDIT_VIEW));
}

uint64_t permission_of_role(const char *role)
{
	struct str name = str_from(role);

	if (str_is(name, "admin"))
		return permission_all();
	if (str_is(name, "manager"))
		return permission_all() &
		       ~(PERMIT(SETTINGS_VIEW) | PERMIT(SETTINGS_WRITE) | PERMIT(AUDIT_VIEW));
	if (str_is(name, "viewer"))
		return viewer_bits();
	return 0;
}

/* Declared in account-internal.h: permission.h knows no actor. */
int actor_grant_check(const struct actor *actor, uint64_t granted, struct err *err)
{
	uint64_t missing = granted & ~actor->permissions;

	if (missing == 0)
		return 0;
	return err_set(err, ERR_DENIED, "Nobody can give what they lack themselves: %s",
	    permission_name(missing));
}

json_t *permission_list_json(uint64_t bits)
{
	json_t *list = json_array();

	for (size_t i = 0; i < PERMISSION_COUNT; i++)
		if (bits & (UINT64_C(1) << i))
			json_array_append_new(list, json_string(permission_names[i]));
	return list;
}

int permission_from_json(const json_t *list, uint64_t *bits, struct err *err)
{
	size_t i;
	json_t *item;

	*bits = 0;
	if (!json_is_array(list))
		return err_field(
		    err, ERR_INVALID, "permissions", "must be an array of permission names");
	json_array_each(list, i, item) {
		const char *name = json_string_value(item);
		uint64_t bit;

		if (name == NULL)
			return err_field(
			    err, ERR_INVALID, "permissions", "item %zu is not a text", i + 1);
		bit = str_is(str_from(name), "*") ? permission_all()
						  : permission_parse(str_from(name));
		if (bit == 0)
			return err_field(err, ERR_INVALID, "permissions",
			    "there is no permission \"%.64s\"", name);
		*bits |= bit;
	}
	return 0;
}
