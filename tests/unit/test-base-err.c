#include <stdlib.h>

#include "base/err.h"
#include "base/str.h"
#include "test-base.h"

static void the_first_error_wins(void)
{
	struct err e = ERR_INIT;

	CHECK(err_set(&e, ERR_CONFLICT, "%s is taken", "name") == -1);
	CHECK(err_set(&e, ERR_INTERNAL, "later") == -1);
	CHECK(err_field(&e, ERR_INVALID, "f", "later") == -1);
	CHECK(e.code == ERR_CONFLICT && TEXT_EQ(e.msg, "name is taken") && e.field[0] == '\0');
	err_clear(&e);
	CHECK(e.code == ERR_NONE && e.msg[0] == '\0');
	CHECK(err_field(&e, ERR_INVALID, "email", "not an address") == -1);
	CHECK(e.code == ERR_INVALID && TEXT_EQ(e.field, "email"));
}

static void nobody_need_ask(void)
{
	CHECK(err_set(NULL, ERR_INTERNAL, "x") == -1);
	CHECK(err_field(NULL, ERR_INTERNAL, "f", "x") == -1);
	CHECK(err_prefix(NULL, "x") == -1);
	err_clear(NULL);
}

static void prefixes(void)
{
	struct err e = ERR_INIT;

	CHECK(err_prefix(&e, "lead") == -1);
	CHECK(e.code == ERR_NONE && e.msg[0] == '\0');
	err_set(&e, ERR_TIMEOUT, "no answer");
	CHECK(err_prefix(&e, "lead %d", 7) == -1);
	CHECK(TEXT_EQ(e.msg, "lead 7: no answer") && e.code == ERR_TIMEOUT);
}

static void long_texts_are_cut_between_characters(void)
{
	char text[1000];

	for (size_t shift = 0; shift < 4; shift++) {
		struct err e = ERR_INIT;

		memset(text, 'x', shift);
		for (size_t i = shift; i + 4 < sizeof(text); i += 4)
			memcpy(text + i, "\xF0\x9F\x98\x80", 5);
		err_field(&e, ERR_INVALID, text, "%s", text);
		CHECK(strlen(e.msg) >= sizeof(e.msg) - 4 && utf8_is_valid(str_from(e.msg)));
		CHECK(strlen(e.field) >= sizeof(e.field) - 4 && utf8_is_valid(str_from(e.field)));
		err_prefix(&e, "%s", text);
		CHECK(strlen(e.msg) >= sizeof(e.msg) - 4 && utf8_is_valid(str_from(e.msg)));
	}
}

static void a_text_that_just_fits_is_whole(void)
{
	struct err e = ERR_INIT;
	char text[sizeof(e.msg)];

	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 3, "\xC3\xA9", 3);
	err_set(&e, ERR_INVALID, "%s", text);
	CHECK(TEXT_EQ(e.msg, text));
}

void suite_base_err(void);
void suite_base_err(void)
{
	ADD_TESTS("base/err", {"the first error wins", the_first_error_wins},
	    {"nobody need ask", nobody_need_ask}, {"prefixes", prefixes},
	    {"long texts are cut between characters", long_texts_are_cut_between_characters},
	    {"a text that just fits is whole", a_text_that_just_fits_is_whole});
}
