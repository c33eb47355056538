/* Slices of bytes and strict text functions. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct buf;

/* n bytes at p, not NUL-terminated unless said so; {NULL,0} is absent. */
struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})
struct str str_from(const char *s); /* NULL gives {NULL,0} */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *b); /* equal to a C string */
bool str_ieq(struct str a, struct str b); /* ASCII case-insensitive */
bool str_starts(struct str s, const char *prefix);
bool str_ends(struct str s, const char *suffix);
struct str str_trim(struct str s);                  /* ASCII white space off both ends */
struct str str_copy(struct arena *a, struct str s); /* with a NUL that n does not count */
/* Cuts the part before the first sep off *rest into *part; false when nothing is left ("a,,b" has
 * three parts, "a," one and "" none). */
bool str_split(struct str *rest, char sep, struct str *part);

/* The whole text must be a decimal number within [min,max]; true and *v set, or false. */
bool str_to_i64(struct str s, int64_t min, int64_t max, int64_t *v);
/* "true/1/yes/on", "false/0/no/off". */
bool str_to_bool(struct str s, bool *v);

/* Codecs. Encoders append to b; decoders return the length, or -1 for what is not of the form.
 * hex is lower case (decoding takes both); base64 is RFC 4648 §4 padded, base64url §5 unpadded. */
void hex_encode(struct buf *b, const void *p, size_t n);
long hex_decode(void *out, size_t cap, struct str s);
void base64_encode(struct buf *b, const void *p, size_t n);
void base64url_encode(struct buf *b, const void *p, size_t n);
long base64_decode(void *out, size_t cap, struct str s);
long base64url_decode(void *out, size_t cap, struct str s);
/* RFC 3986 percent encoding of everything but unreserved characters; decode: '+' is a space when
 * plus is set; -1 on a broken escape or a NUL, encoded or not. out may be s.p, and is NUL-ended
 * where cap has room for it. */
void percent_encode(struct buf *b, struct str s);
long percent_decode(char *out, size_t cap, struct str s, bool plus);

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) without NUL. */
bool utf8_is_valid(struct str s);
/* Case-folded, accents removed, width-normalised (NFKD, Mn dropped) and signs folded as by
 * utf8_fold_signs, for search and comparison: "Café" → "cafe". NULL when s is not UTF-8. The only
 * user of libutf8proc is utf8.c. */
char *utf8_fold(struct arena *a, struct str s);
/* One fold for all that people do not see or cannot tell apart. There are
 *
 *	blanks   White_Space of Unicode: no-break, ideographic, thin, line separators …
 *	marks    show nothing: byte-order mark, zero-width space, soft hyphen, those of direction
 *	joiners  U+200C and U+200D, which shape words in some scripts and join emoji
 *	dashes   of every kind, the minus sign too
 *	digits   decimal ones of every script; full-width letters and signs are counted in
 *
 * and two ways: what is kept to be shown loses only what nobody sees (utf8_fold_blanks); what is
 * parsed or compared becomes ASCII where it can (utf8_fold_signs; utf8_fold for words). A text that
 * is no UTF-8 stays as it is, or is trimmed. The results are s itself, a part of it, or
 * arena-owned. */
/* Blanks, marks and joiners off both ends. Behind a virama a joiner is part of the letter: it
 * stays. */
struct str utf8_trim(struct str s);
struct str utf8_trim_quotes(struct str s); /* quotes of any kind too */
/* Trimmed, every run of blanks one space, no marks; joiners within stay. */
struct str utf8_fold_blanks(struct arena *a, struct str s);
/* Blanks are spaces, marks and joiners gone, dashes "-", digits and full-width forms ASCII. */
struct str utf8_fold_signs(struct arena *a, struct str s);
bool utf8_has_gap(struct str s); /* a blank, mark or joiner anywhere */
/* Lower case, character by character. */
struct str utf8_lower(struct arena *a, struct str s);
/* Upper case, character by character: "ß" is one letter then, too (U+1E9E). */
struct str utf8_upper(struct arena *a, struct str s);
/* Each word's first letter upper case, the others lower. */
struct str utf8_title(struct arena *a, struct str s);
/* The code point that s begins with, and its bytes: U+FFFD and 1 where that is no character. */
uint32_t utf8_point(struct str s, size_t *n);
/* The start of s in at most so many bytes that ends with a whole character. */
struct str utf8_cut(struct str s, size_t most);
/* Foreign text as the database takes it: well-formed, without NUL, in at most so many bytes. Each
 * byte that is of no character and each NUL becomes U+FFFD. s itself or arena-owned; absent stays
 * absent. */
struct str utf8_clean(struct arena *a, struct str s, size_t most);

/* Canonically composed (NFC), with case folded if wanted: the same text however it was typed. s
 * itself or arena-owned; {NULL,0} when it is not UTF-8. */
struct str utf8_compose(struct arena *a, struct str s, bool is_case_folded);
/* What the bytes of a text say about its encoding; counts are added, so that it may come in pieces.
 * The bytes of a character that the end of a piece cuts are not counted: how many that are. */
struct utf8_signs {
	uint64_t two,
	    more;       /* characters of two bytes, and of three or four, that are well formed */
	uint64_t stray; /* bytes above ASCII that are of none */
};
size_t utf8_count_signs(struct str s, struct utf8_signs *signs);
/* UTF-16 as UTF-8: unpaired surrogates become U+FFFD. out has room for 3 bytes for each 2. Half a
 * character at the end is left where more may come. Returns the bytes written; *used: those read.
 */
size_t utf16_decode(char *out, struct str s, bool is_big_endian, bool is_end, size_t *used);
/* The bytes that valid UTF-8 takes in UTF-16. */
size_t utf16_length(struct str s);
/* Windows-1252 as UTF-8; the five bytes that it leaves open become the controls U+0081 …. out has
 * room for 3 bytes for each. Returns the bytes written. */
size_t windows_1252_decode(char *out, struct str s);
bool windows_1252_is_valid(struct str s); /* has none of those five */

/* FNV-1a 64, for tables in memory only. */
uint64_t str_hash(const void *p, size_t n);
/* Of long texts: eight bytes a step, another number than str_hash. */
uint64_t str_hash_long(const void *p, size_t n);

#endif
