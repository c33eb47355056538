/* People's names: split, joined, and freed of what is no name.
 *
 *	"Mia Kolb"          ──> Mia | Kolb
 *	"Kolb, Mia"         ──> Mia | Kolb        full name turned round: "Mia Kolb"
 *	"Paul Ferro, Jr."   ──> Paul | Ferro      full name as it came
 *	"Lind, Mara, MD"    ──> Mara | Lind       "Mara Lind, MD"
 *	"Dr. Mia Kolb"      ──> Mia | Kolb
 *	"山田　花子"          ──> 花子 | 山田       the family name comes first
 *
 * A full name is cut at commas; parts at the end that hold nothing but suffixes are set aside, then
 * one part is "First Last", and of two the first is the family name. Titles in front fall, and so
 * does Jr. at the end. A suffix that may be a name as well (MA, Ma) is one only where its letters'
 * case tells so; one between both names ("Ferro, Jr., Paul") goes behind them. With one of first
 * and last name beside the full name, the other is what is left.
 */
#include "base/arena.h"
#include "base/json.h"
#include "lead/lead-internal.h"

#define NAME_BYTES 1000 /* what is longer is no name, and left alone */
#define PARTS 8         /* of a full name between commas; what is behind them stays together */

/* ---- words --------------------------------------------------------------------------------- */

/* Words as word_key makes them: lower case, without dots, hyphens and accents. Behind a "." are
 * those that need a dot, since they are names too; behind a "^" those that need capitals or dots:
 * "MA" and "M.A.", not "Ma". */
static const char titles[] =
    "dr dra prof professor univprof mr mrs ms mx miss mister sir dame rev reverend herr frau "
    "fraulein frl hr .fr mme mlle monsieur madame mademoiselle .sr sra srta senor senora senorita "
    ".sig sigra signor signora dott dottssa .avv .ing dipling diplkfm .mag mgr dhr mevr .mw drs "
    ".ir .bc mudr judr phdr rndr .hon capt .col .lt sgt .maj .gen shri smt .adv engr lord lady "
    "rabbi imam herrn ddr mmag paeddr .prim .doc captain cmdr .cpl .pvt .adm .lic licda licdo "
    "profa "
    ".arq .arch .geom .rag .eng .er .dipl diplpsych dkfm .sen .rep .gov .pres .amb .ald .cav drmed "
    "dring гн гжа господин госпожа";

/* Between two titles, or before one: "Mr. and Mrs.", "The Rev." */
static const char title_joints[] = "& + and und et y e u the";

/* Which of a family it is: these are known without a comma too. */
static const char generations[] = "jr jnr sr snr ^ii ^iii ^iv";

static const char suffixes[] =
    "jr jnr sr snr ^ii ^iii ^iv ^v ^vi 2nd 3rd junior senior "
    /* academic, professional, orders */
    "phd dphil edd psyd pharmd ^md ^do dds dmd dvm ^jd llb llm lld mba emba msc bsc ^meng ^beng "
    "mphil mph ^mpa msw mfa bfa bba bcom mbbs frcs mrcp facs ^ma ^ba ^ms ^bs ^med ^bed ^rn lpn ^np "
    "^pa ^pe cpa cfa cfp pmp esq esquire ^obe ^mbe ^cbe ^kbe ^qc ^kc ^mp .ret dr prof dipling "
    "diplkfm .ing .mag bacc ^csc habil "
    "bsn dba mha msn dnp cissp lcsw lmft ^od ^dc dpt facp kcmg ^sj chb mbchb fcca ^acca ^aca mrics "
    "frics drph ^mpp mdiv btech mtech ^ceng aprn rgn otr otr/l ^phdr drsc thd mudr .dis ^eds ^ca "
    "^cma ^acs ^pac ^npc fnpbc shrmcp shrmscp cccslp ^mdb ^mep drmed dring "
    /* companies */
    "gmbh mbh ^ag ^kg ohg ^ug gbr .ek .ev .eg inc incorporated llc llp ^lp ltd limited corp "
    "corporation .co company plc pty pvt pte sarl ^sas ^sasu ^sa ^sca eurl ^spa srl ^snc ^sl ^slu "
    "^bv ^nv ^oy oyj ^ab ^as ^asa a/s aps kft zrt .sro .sp .zoo .doo lda ltda ooo ^se "
    "pllc ^pc ^kk eirl ^ou ^sia uab eood kgaa ggmbh sderldecv";

/* Within the form of a company: "GmbH & Co. KG", "Sp. z o.o.", "S.A. de C.V."; behind a degree. */
static const char connectors[] = "& and .co z .oo de .cv hons fh haftungsbeschrankt";

/* Behind the name, in Japanese, Chinese and Korean. */
static const char honorifics[] = "様 さま さん 殿 氏 先生 女士 님 씨";

/* How a word was written. */
struct name_word {
	struct str key;
	size_t letters, dots;
	bool ends_with_dot, has_upper, has_lower; /* of ASCII */
	bool is_mixed;                            /* "CSc", "eV", "M.Ed." */
};

static struct name_word word_read(struct arena *a, struct str s)
{
	const char *folded = utf8_fold(a, s);
	char *key = arena_alloc(a, folded == NULL ? 1 : strlen(folded) + 1);
	struct name_word w = {.ends_with_dot = str_ends(s, ".")};

	for (size_t i = 0; i < s.n; i++) {
		w.dots += s.p[i] == '.';
		w.is_mixed = w.is_mixed || (i > 0 && s.p[i] >= 'A' && s.p[i] <= 'Z');
		w.has_upper = w.has_upper || (s.p[i] >= 'A' && s.p[i] <= 'Z');
		w.has_lower = w.has_lower || (s.p[i] >= 'a' && s.p[i] <= 'z');
	}
	w.is_mixed = w.is_mixed && w.has_lower;
	for (const char *p = folded; p != NULL && *p != '\0'; p++)
		if (strchr(".-", *p) == NULL)
			key[w.letters++] = *p;
	w.key = (struct str){key, w.letters};
	return w;
}

/* "M.A." and "M.A", not "Ma." or "V." */
static bool word_is_abbreviated(const struct name_word *w)
{
	return w->letters > 1 && w->dots - w->ends_with_dot + 1 >= w->letters;
}

/* Is it in the list, behind a name that was written so? */
static bool word_is_of(
    const struct name_word *w, const char *list, const struct name_word *name, size_t name_words)
{
	struct str rest = str_from(list), entry;
	bool is_loud = w->has_upper && !w->has_lower && (name->has_lower || name_words > 1);
	bool is_low = !w->has_upper && !name->has_upper && name_words > 1;

	while (str_split(&rest, ' ', &entry)) {
		char rule = entry.p[0];

		if (rule == '.' || rule == '^')
			entry = (struct str){entry.p + 1, entry.n - 1};
		if (!str_eq(w->key, entry))
			continue;
		if (rule == '.')
			return w->dots > 0 || w->is_mixed;
		return rule != '^' || word_is_abbreviated(w) || w->is_mixed ||
		       ((is_loud || is_low) && (w->dots == 0 || name_words > 1));
	}
	return false;
}

static bool str_cut_word(struct str *rest, struct str *word)
{
	while (str_split(rest, ' ', word))
		if (word->n > 0)
			return true;
	return false;
}

static size_t str_count_words(struct str s)
{
	struct str word;
	size_t n = 0;

	while (str_cut_word(&s, &word))
		n++;
	return n;
}

static struct str str_last_word(struct str s)
{
	struct str word = {s.p, 0};

	while (str_cut_word(&s, &word))
		continue;
	return word;
}

/* ---- scripts ------------------------------------------------------------------------------- */

/* Han, Kana, Hangul, and what belongs to their letters. The middle dot is none: it stands between
 * the names of foreigners. */
static bool is_family_first_letter(uint32_t c)
{
	return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
	       (c >= 0x20000 && c <= 0x3FFFF) || (c >= 0xF900 && c <= 0xFAFF) ||
	       (c >= 0x3005 && c <= 0x3007) || (c >= 0x3041 && c <= 0x309F) ||
	       (c >= 0x30A1 && c <= 0x30FA) || (c >= 0x30FC && c <= 0x30FF) ||
	       (c >= 0x31F0 && c <= 0x31FF) || (c >= 0xFF66 && c <= 0xFF9F) ||
	       (c >= 0xAC00 && c <= 0xD7FF) || (c >= 0x1100 && c <= 0x11FF) ||
	       (c >= 0x3131 && c <= 0x318E) || (c >= 0xA960 && c <= 0xA97F) ||
	       (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0xE0100 && c <= 0xE01EF);
}

static bool is_family_first(struct str s)
{
	bool has_letters = s.n > 0;

	for (size_t n; s.n > 0 && has_letters; s = (struct str){s.p + n, s.n - n}) {
		uint32_t c = utf8_point(s, &n);

		has_letters = c == ' ' || is_family_first_letter(c);
	}
	return has_letters;
}

/* ---- what is no name ----------------------------------------------------------------------- */

/* "Dr.Mia Kolb": the title's end, 0 when it does not stick to a name. */
static size_t title_stuck_end(struct arena *a, struct str word, const struct name_word *name)
{
	const char *dot = memchr(word.p, '.', word.n);
	size_t n = dot == NULL ? 0 : (size_t)(dot - word.p) + 1;
	unsigned char next = n > 0 && n < word.n ? (unsigned char)word.p[n] : 0;
	struct name_word title;

	if (next < 0x80 && (next < 'A' || next > 'Z'))
		return 0;
	title = word_read(a, (struct str){word.p, n});
	return word_is_of(&title, titles, name, 2) ? n : 0;
}

/* All that stands between slashes is of the list: "Mr/Mrs", "MD/PhD". */
static bool word_has_all_of(struct arena *a, struct str word, const char *list,
    const struct name_word *name, size_t name_words)
{
	struct name_word w = word_read(a, word);
	struct str piece;

	if (word_is_of(&w, list, name, name_words))
		return true;
	if (memchr(word.p, '/', word.n) == NULL)
		return false;
	while (str_split(&word, '/', &piece)) {
		w = word_read(a, piece);
		if (!word_is_of(&w, list, name, name_words))
			return false;
	}
	return true;
}

static bool is_title(struct arena *a, struct str word, const struct name_word *name)
{
	return word_has_all_of(a, word, titles, name, 2) ||
	       (word.n > 5 && str_ieq((struct str){word.p, 5}, STR("dipl.")));
}

/* "und" of "Herr und Frau". */
static bool is_title_joint(
    struct arena *a, const struct name_word *w, struct str behind, const struct name_word *name)
{
	struct str next;

	return word_is_of(w, title_joints, name, 2) && str_cut_word(&behind, &next) &&
	       behind.n > 0 && is_title(a, next, name);
}

/* Without the titles in front; a last word stays. "Dr. med." goes on in lower case. */
static struct str name_cut_titles(struct arena *a, struct str s)
{
	struct name_word name = word_read(a, s), w;
	struct str rest = s, word, behind;
	bool has_title = false;
	size_t stuck;

	for (behind = rest; str_cut_word(&behind, &word) && behind.n > 0; rest = behind) {
		w = word_read(a, word);
		if (!is_title(a, word, &name) && !is_title_joint(a, &w, behind, &name) &&
		    !(has_title && w.dots > 0 && !w.has_upper))
			break;
		has_title = true;
	}
	while (str_cut_word(&(struct str){rest.p, rest.n}, &word) &&
	       (stuck = title_stuck_end(a, word, &name)) > 0)
		rest = (struct str){rest.p + stuck, rest.n - stuck};
	return utf8_trim(rest);
}

/* Without "Jr." and the like at its end, or an honorific; a first word stays. */
static struct str name_cut_generation(struct arena *a, struct str s)
{
	struct str last = str_last_word(s);
	struct str before = utf8_trim((struct str){s.p, (size_t)(last.p - s.p)});
	struct name_word w = word_read(a, last), name = word_read(a, before);
	size_t words = str_count_words(before);

	if (words == 0)
		return s;
	if (word_is_of(&w, honorifics, &name, words))
		return before;
	return (words > 1 || w.dots > 0) && word_is_of(&w, generations, &name, words) ? before : s;
}

static struct str name_only(struct arena *a, struct str s)
{
	size_t before;

	do {
		before = s.n;
		s = name_cut_generation(a, name_cut_titles(a, s));
	} while (s.n != before);
	return s;
}

/* "M. A." as "M.A."; {NULL,0} for what is not spaced letters. They may be initials. */
static struct str part_of_spaced_letters(struct arena *a, struct str part)
{
	char *joined = arena_alloc(a, part.n + 1);
	struct str word;
	size_t n = 0;

	while (str_cut_word(&part, &word)) {
		if (word.n != 2 || word.p[1] != '.')
			return (struct str){NULL, 0};
		memcpy(joined + n, word.p, 2);
		n += 2;
	}
	return (struct str){n > 2 ? joined : NULL, n > 2 ? n : 0};
}

/* Without brackets and marks of trade around it. */
static struct str word_bare(struct str word)
{
	static const char *const marks[] = {")", "]", "\xC2\xAE", "\xE2\x84\xA2"};
	size_t before;

	if (word.n > 0 && (word.p[0] == '(' || word.p[0] == '['))
		word = (struct str){word.p + 1, word.n - 1};
	do {
		before = word.n;
		for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
			word.n -= str_ends(word, marks[i]) ? strlen(marks[i]) : 0;
	} while (word.n != before);
	return word;
}

/* "Ph. D." as "Ph.D."; {NULL,0} where it is one word, or letters alone. */
static struct str part_joined(struct arena *a, struct str part)
{
	char *joined = arena_alloc(a, part.n + 1);
	size_t n = 0, words = 0;
	bool is_initials = true;
	struct str word;

	while (str_cut_word(&part, &word)) {
		is_initials = is_initials && (word.n == 1 || (word.n == 2 && word.p[1] == '.'));
		memcpy(joined + n, word.p, word.n);
		n += word.n;
		words++;
	}
	return words < 2 || is_initials ? (struct str){NULL, 0} : (struct str){joined, n};
}

/* Is a part between commas nothing but suffixes, behind what stands before it? */
static bool is_suffix_part(struct arena *a, struct str part, struct str before)
{
	struct name_word name = word_read(a, before), w;
	struct str letters = part_of_spaced_letters(a, part), joined, word;
	size_t words = str_count_words(before), found = 0;

	if (words == 0 || (words == 1 && letters.n > 0))
		return false;
	if (letters.n > 0)
		part = letters;
	joined = part_joined(a, part);
	if (joined.n > 0 && word_has_all_of(a, joined, suffixes, &name, words))
		return true;
	while (str_cut_word(&part, &word)) {
		word = word_bare(word);
		w = word_read(a, word);
		if (word_has_all_of(a, word, suffixes, &name, words))
			found++;
		else if (w.letters > 0 && !word_is_of(&w, connectors, &name, words) &&
			 !(found > 0 && w.dots > 0 && !w.has_upper))
			return false;
	}
	return found > 0;
}

/* ---- full names ---------------------------------------------------------------------------- */

struct full_name {
	struct str first, last; /* without titles and suffixes */
	struct str shown;       /* the whole as it is kept */
};

static struct str str_between(struct str from, struct str to)
{
	return (struct str){from.p, (size_t)(to.p + to.n - from.p)};
}

/* Takes what stands before the next comma of any script off *rest; false where nothing is left. */
static bool name_take_part(struct str *rest, struct str *part)
{
	size_t i = 0, n = 0;
	uint32_t c = 0;

	if (rest->p == NULL)
		return false;
	for (; i < rest->n; i += n) {
		c = utf8_point((struct str){rest->p + i, rest->n - i}, &n);
		if (c == ',' || c == 0xFF0C || c == 0x3001 || c == 0x060C)
			break;
	}
	*part = utf8_trim((struct str){rest->p, i});
	*rest =
	    i == rest->n ? (struct str){NULL, 0} : (struct str){rest->p + i + n, rest->n - i - n};
	return true;
}

struct name_parts {
	struct str v[PARTS];
	size_t n;
	struct str between; /* suffixes behind the first of several */
};

/* The parts between commas, without those of suffixes, and without empty ones at the end: one of
 * two says that the other is the last name. */
static void name_split_parts(struct arena *a, struct str s, struct name_parts *out)
{
	struct str *v = out->v;
	size_t n = 0;

	while (n < PARTS && name_take_part(&s, &v[n]))
		n++;
	if (s.p != NULL)
		v[n - 1] = str_between(v[n - 1], s);
	while (n > 2 && v[n - 1].n == 0)
		n--;
	while (n > 1 && is_suffix_part(a, v[n - 1], str_between(v[0], v[n - 2])))
		n--;
	out->between = (struct str){NULL, 0};
	if (n > 2 && is_suffix_part(a, v[1], v[0])) {
		out->between = v[1];
		memmove(v + 1, v + 2, (n - 2) * sizeof(v[0]));
		n--;
	}
	out->n = n;
}

static struct str name_join(struct arena *a, struct str x, struct str y)
{
	const char *text = arena_printf(a, "%.*s%s%.*s", (int)x.n, x.n == 0 ? "" : x.p,
	    x.n > 0 && y.n > 0 ? " " : "", (int)y.n, y.n == 0 ? "" : y.p);

	return str_from(text);
}

/* First and last name as people say them one after the other. */
static struct str name_join_first_last(struct arena *a, struct str first, struct str last)
{
	return is_family_first(first) && is_family_first(last) ? name_join(a, last, first)
							       : name_join(a, first, last);
}

/* "First Last", freed already. */
static void name_split_words(struct full_name *f, struct str name)
{
	struct str rest = name, word;

	if (!str_cut_word(&rest, &word))
		return;
	f->first = utf8_trim(word);
	f->last = utf8_trim(rest);
	if (f->last.n > 0 && is_family_first(name)) {
		struct str family = f->first;

		f->first = f->last;
		f->last = family;
	}
}

/* "Last, First", with what stands behind that: the title of the last name goes in front. */
static struct str name_turn_round(
    struct arena *a, struct str last, struct str first, struct str behind)
{
	struct str bare = name_cut_titles(a, last);
	struct str title = utf8_trim((struct str){last.p, (size_t)(bare.p - last.p)});
	struct str name = name_join(a, title, name_join_first_last(a, first, bare));

	return behind.n == 0 ? name
			     : str_from(arena_printf(
				   a, "%.*s, %.*s", (int)name.n, name.p, (int)behind.n, behind.p));
}

/* The suffixes: what stands in s behind a part and its comma. */
static struct str name_behind(struct str s, struct str part)
{
	const char *end = part.p + part.n;
	struct str rest = {end, (size_t)(s.p + s.n - end)}, comma;

	name_take_part(&rest, &comma);
	return utf8_trim(rest);
}

static struct str suffixes_join(struct arena *a, struct str x, struct str y)
{
	if (x.n == 0 || y.n == 0)
		return x.n == 0 ? y : x;
	return str_from(arena_printf(a, "%.*s, %.*s", (int)x.n, x.p, (int)y.n, y.p));
}

static struct full_name name_read(struct arena *a, struct str s)
{
	struct full_name f = {.shown = s};
	struct name_parts parts;
	struct str first, last;

	name_split_parts(a, s, &parts);
	if (parts.n < 2) {
		name_split_words(&f, name_only(a, parts.v[0]));
		return f;
	}
	last = parts.v[parts.n - 1];
	first = str_between(parts.v[1], last);
	f.last = name_only(a, parts.v[0]);
	f.first = name_only(a, first);
	if (f.first.n > 0 && f.last.n > 0)
		f.shown = name_turn_round(
		    a, parts.v[0], first, suffixes_join(a, parts.between, name_behind(s, last)));
	return f;
}

/* ---- one of both beside the full name ------------------------------------------------------ */

static bool name_is_same(struct arena *a, struct str x, struct str y)
{
	return str_eq(str_from(utf8_fold(a, x)), str_from(utf8_fold(a, y)));
}

/* So many words off the front. */
static struct str name_take_words(struct str *rest, size_t n)
{
	struct str from = *rest, word = {rest->p, 0};

	while (n-- > 0 && str_cut_word(rest, &word))
		continue;
	return str_between((struct str){from.p, 0}, word);
}

/* What is left of a name when the given one is taken off its front, or its end; {NULL,0} when it
 * does not stand there. Scripts without spaces need none. */
static struct str name_rest(struct arena *a, struct str name, struct str given, bool is_at_front)
{
	size_t all = str_count_words(name), n = str_count_words(given);
	struct str rest = name, taken;

	if (n < all) {
		taken = name_take_words(&rest, is_at_front ? n : all - n);
		rest = utf8_trim(rest);
		if (name_is_same(a, is_at_front ? taken : rest, given))
			return is_at_front ? rest : taken;
	}
	if (all != 1 || n != 1 || given.n >= name.n || !is_family_first(name))
		return (struct str){NULL, 0};
	if (is_at_front && memcmp(name.p, given.p, given.n) == 0)
		return (struct str){name.p + given.n, name.n - given.n};
	if (!is_at_front && memcmp(name.p + name.n - given.n, given.p, given.n) == 0)
		return (struct str){name.p, name.n - given.n};
	return (struct str){NULL, 0};
}

/* The other name; {NULL,0} when the given one is no part of the full name. */
static struct str name_other(
    struct arena *a, const struct full_name *f, struct str given, bool is_first)
{
	struct str whole = name_join_first_last(a, f->first, f->last), rest;

	if (name_is_same(a, given, is_first ? f->first : f->last))
		return is_first ? f->last : f->first;
	if (name_is_same(a, given, is_first ? f->last : f->first))
		return is_first ? f->first : f->last;
	rest = name_rest(a, whole, given, is_first);
	return rest.n > 0 ? rest : name_rest(a, whole, given, !is_first);
}

/* ---- the lead ------------------------------------------------------------------------------ */

/* A first or last name as it was given, freed of what is none. */
static struct str name_of_member(struct arena *a, struct str s)
{
	struct name_parts parts;

	if (s.n == 0 || s.n > NAME_BYTES)
		return s;
	name_split_parts(a, s, &parts);
	return name_only(a, str_between(parts.v[0], parts.v[parts.n - 1]));
}

static struct str lead_name_text(struct arena *a, const json_t *lead, const char *key)
{
	return utf8_fold_blanks(a, str_from(json_str(lead, key)));
}

static void lead_set_name(json_t *lead, const char *key, struct str s)
{
	json_set_strn(lead, key, s.n == 0 ? (struct str){NULL, 0} : s);
}

/* Fills in what is missing of first, last and full name. */
static void names_complete(struct arena *a, struct str *first, struct str *last, struct str *full)
{
	struct full_name f;
	struct str other;

	if (full->n == 0 || full->n > NAME_BYTES || (first->n > 0 && last->n > 0))
		return;
	f = name_read(a, *full);
	if (first->n == 0 && last->n == 0) {
		*first = f.first;
		*last = f.last;
		*full = f.shown;
		return;
	}
	other = first->n > 0 ? name_other(a, &f, *first, true) : name_other(a, &f, *last, false);
	if (other.n == 0)
		return;
	*(first->n > 0 ? last : first) = other;
	*full = f.shown;
}

void lead_normalize_names(struct arena *a, json_t *lead)
{
	struct str sent_first = lead_name_text(a, lead, "firstName");
	struct str sent_last = lead_name_text(a, lead, "lastName");
	struct str full = lead_name_text(a, lead, "fullName");
	struct str first = name_of_member(a, sent_first), last = name_of_member(a, sent_last);

	if (full.n == 0)
		full = name_join_first_last(a, sent_first, sent_last);
	names_complete(a, &first, &last, &full);
	lead_set_name(lead, "firstName", name_of_member(a, first));
	lead_set_name(lead, "lastName", name_of_member(a, last));
	lead_set_name(lead, "fullName", full);
}

/* Names that were made by rules that knew fewer titles and suffixes are others now. */
const char *lead_name_wrong(struct arena *a, const json_t *lead)
{
	static const char *const keys[] = {"firstName", "lastName"};
	struct str first = lead_name_text(a, lead, keys[0]),
		   last = lead_name_text(a, lead, keys[1]);
	struct name_word of_last = word_read(a, last);

	if (first.n > 0 && last.n > 0 &&
	    (is_suffix_part(a, first, last) || is_title(a, first, &of_last)))
		return json_str(lead, keys[0]);
	for (size_t i = 0; i < 2; i++) {
		struct str name = i == 0 ? first : last;

		if (name.n > 0 && !str_eq(name_of_member(a, name), name))
			return json_str(lead, keys[i]);
	}
	return NULL;
}
