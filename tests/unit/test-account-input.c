/* What people and clients send: emails, passwords, addresses to return to, credentials, texts for
 * the log. */
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "account/account-internal.h"

void suite_account_input(void);

static struct arena *a;

static int begin(void)
{
	a = arena_new();
	return 0;
}

static int end(void)
{
	arena_free(a);
	return 0;
}

static void check(bool is_right, int line, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "line %d: %s", line, what);
	CU_assertImplementation(is_right, (unsigned)line, text, __FILE__, "", CU_FALSE);
}

static bool same(const char *got, const char *wanted)
{
	return got == NULL || wanted == NULL ? got == wanted : strcmp(got, wanted) == 0;
}

static const struct {
	int line;
	const char *text, *normal; /* NULL: refused */
} emails[] = {
    {__LINE__, "ada@example.com", "ada@example.com"},
    {__LINE__, "  Ada.Lovelace@Example.COM\t", "ada.lovelace@example.com"},
    {__LINE__, "a+b@x", "a+b@x"},
    {__LINE__, "j\xc3\xb6rg@ex\xc3\xa4mple.de", "j\xc3\xb6rg@ex\xc3\xa4mple.de"},
    {__LINE__, "", NULL},
    {__LINE__, "   ", NULL},
    {__LINE__, "ada", NULL},
    {__LINE__, "@example.com", NULL},
    {__LINE__, "ada@", NULL},
    {__LINE__, "a@b@c", NULL},
    {__LINE__, "a b@c", NULL},
    {__LINE__, "a@b\r\nc", NULL},
    {__LINE__, "<a@b>", NULL},
    {__LINE__, "a@b,c@d", NULL},
    {__LINE__, "a\xff@b", NULL},
};

static void email(void)
{
	char *longest = arena_alloc(a, 300);

	for (size_t i = 0; i < sizeof(emails) / sizeof(emails[0]); i++) {
		struct err err = ERR_INIT;
		char *got = account_email_normal(a, str_from(emails[i].text), &err);

		check(same(got, emails[i].normal), emails[i].line, emails[i].text);
		check((got == NULL) == (err.code == ERR_INVALID), emails[i].line, "the error");
	}
	memset(longest, 'x', 300);
	memcpy(longest + 1, "@", 1);
	CU_ASSERT_PTR_NOT_NULL(account_email_normal(a, (struct str){longest, 254}, NULL));
	CU_ASSERT_PTR_NULL(account_email_normal(a, (struct str){longest, 255}, NULL));
}

static void password(void)
{
	char *text = arena_alloc(a, 2000);

	memset(text, 'x', 2000);
	CU_ASSERT_EQUAL(account_password_check((struct str){text, 11}, NULL), -1);
	CU_ASSERT_EQUAL(account_password_check((struct str){text, 12}, NULL), 0);
	CU_ASSERT_EQUAL(account_password_check((struct str){text, 1024}, NULL), 0);
	CU_ASSERT_EQUAL(account_password_check((struct str){text, 1025}, NULL), -1);
	CU_ASSERT_EQUAL(account_password_check(STR("pass\xffword is long"), NULL), -1);
	CU_ASSERT_EQUAL(account_password_check((struct str){NULL, 0}, NULL), -1);
}

static const struct {
	int line;
	const char *text, *path;
} paths[] = {
    {__LINE__, "/admin", "/admin"},
    {__LINE__, "/admin/", "/admin/"},
    {__LINE__, "/admin/leads?status=failed&page=2", "/admin/leads?status=failed&page=2"},
    {__LINE__, "/admin?x=1", "/admin?x=1"},
    {__LINE__, "/admin#top", "/admin#top"},
    {__LINE__, "", "/admin"},
    {__LINE__, "/", "/admin"},
    {__LINE__, "/connect/v1/me", "/admin"},
    {__LINE__, "/administrator", "/admin"},
    {__LINE__, "/admin.evil.example", "/admin"},
    {__LINE__, "/admin@evil.example", "/admin"},
    {__LINE__, "//evil.example/admin", "/admin"},
    {__LINE__, "/admin//evil.example", "/admin"},
    {__LINE__, "/admin/\\evil.example", "/admin"},
    {__LINE__, "\\admin", "/admin"},
    {__LINE__, "https://evil.example/admin", "/admin"},
    {__LINE__, "javascript:alert(1)", "/admin"},
    {__LINE__, "/admin/x\r\nSet-Cookie: a=b", "/admin"},
    {__LINE__, "/admin/x y", "/admin"},
    {__LINE__, "/admin/\xc3\xa4", "/admin"},
    {__LINE__, " /admin/leads", "/admin"},
};

static void next_path(void)
{
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		check(same(session_next_path(a, str_from(paths[i].text)), paths[i].path),
		    paths[i].line, paths[i].text);
	CU_ASSERT_STRING_EQUAL(session_next_path(a, (struct str){NULL, 0}), "/admin");
}

static const struct {
	int line;
	const char *text;
	bool is_key, is_session;
} credentials[] = {
    {__LINE__, "ck_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcdA", true, false},
    {__LINE__, "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcdA", false, true},
    {__LINE__, "ck_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcd", false, false},
    {__LINE__, "ck_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcd=", false, false},
    {__LINE__, "xk_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcdA", false, false},
    {__LINE__, "ck_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789+/abcdA", false, false},
    {__LINE__, "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abc A", false, false},
    {__LINE__, "", false, false},
};

static void credential_forms(void)
{
	for (size_t i = 0; i < sizeof(credentials) / sizeof(credentials[0]); i++) {
		struct str s = str_from(credentials[i].text);

		check(key_looks_right(s) == credentials[i].is_key, credentials[i].line, s.p);
		check(session_token_looks_right(s) == credentials[i].is_session,
		    credentials[i].line, s.p);
	}
	CU_ASSERT_FALSE(key_looks_right((struct str){NULL, 0}));
	CU_ASSERT_FALSE(session_token_looks_right((struct str){NULL, 0}));
}

static const struct {
	int line;
	const char *text;
	size_t max;
	const char *clipped;
} texts[] = {
    {__LINE__, "Mozilla/5.0", 20, "Mozilla/5.0"},
    {__LINE__, "Mozilla/5.0", 7, "Mozilla"},
    {__LINE__, "", 5, ""},
    {__LINE__, "\xc3\xa4\xc3\xb6\xc3\xbc", 2, "\xc3\xa4\xc3\xb6"},
    {__LINE__,
	"a\xff"
	"b",
	5, "a?b"},
    {__LINE__, "\xc3\xa4\xff", 5, "???"},
    {__LINE__, "a\tb\x7f", 5, "a?b?"},
};

static void clip(void)
{
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct str got = account_text_clip(a, str_from(texts[i].text), texts[i].max);

		check(str_is(got, texts[i].clipped), texts[i].line, got.p);
	}
	CU_ASSERT(str_is(account_text_clip(a, (struct str){NULL, 0}, 9), ""));
}

void suite_account_input(void)
{
	CU_pSuite s = CU_add_suite("account_input", begin, end);

	CU_add_test(s, "emails", email);
	CU_add_test(s, "passwords", password);
	CU_add_test(s, "addresses to return to", next_path);
	CU_add_test(s, "forms of credentials", credential_forms);
	CU_add_test(s, "texts cut to their columns", clip);
}
