/* Escapers, named by context. */
#include "html/html.h"

#include <string.h>

void html_text(struct buf *b, struct str s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		const char *as = s.p[i] == '&'   ? "&amp;"
				 : s.p[i] == '<' ? "&lt;"
				 : s.p[i] == '>' ? "&gt;"
						 : NULL;
		if (as == NULL)
			continue;
		buf_add(b, s.p + from, i - from);
		buf_str(b, as);
		from = i + 1;
	}
	if (from < s.n)
		buf_add(b, s.p + from, s.n - from);
}

static bool is_digit_at(struct str s, size_t i)
{
	return i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
}

void html_breaks(struct buf *b, struct str s)
{
	size_t from = 0;

	for (size_t i = 0; i + 1 < s.n; i++) {
		if (s.p[i] == '\0' || strchr("@._/", s.p[i]) == NULL || s.p[i + 1] == ' ' ||
		    s.p[i + 1] == '/' || (i > 0 && is_digit_at(s, i - 1) && is_digit_at(s, i + 1)))
			continue;
		html_text(b, (struct str){s.p + from, i + 1 - from});
		buf_str(b, "<wbr>");
		from = i + 1;
	}
	html_text(b, (struct str){s.p + from, s.n - from});
}

static const char *attr_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&#34;";
	case '\'':
		return "&#39;";
	case '`':
		return "&#96;";
	case '=':
		return "&#61;";
	default:
		return NULL;
	}
}

void html_attr(struct buf *b, struct str s)
{
	size_t from = 0;

	for (size_t i = 0; i < s.n; i++) {
		const char *as = attr_entity(s.p[i]);
		if (as == NULL)
			continue;
		buf_add(b, s.p + from, i - from);
		buf_str(b, as);
		from = i + 1;
	}
	if (from < s.n)
		buf_add(b, s.p + from, s.n - from);
}

/* A URL has a scheme when a colon stands before any of / ? #. Whatever precedes that colon must be
 * one of the allowed names to the letter: blanks, tabs and control characters, which browsers skip,
 * make it another name and so a refused one. */
static bool url_is_safe(struct str s)
{
	static const char *const allowed[] = {"http", "https", "mailto", "tel"};

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '/' || s.p[i] == '?' || s.p[i] == '#')
			return true;
		if (s.p[i] != ':')
			continue;
		struct str scheme = {s.p, i};
		for (size_t k = 0; k < sizeof(allowed) / sizeof(allowed[0]); k++)
			if (str_ieq(scheme, str_from(allowed[k])))
				return true;
		return false;
	}
	return true;
}

void html_url(struct buf *b, struct str s)
{
	if (url_is_safe(s))
		html_attr(b, s);
	else
		buf_chr(b, '#');
}

void html_query(struct buf *b, struct str s)
{
	percent_encode(b, s);
}
