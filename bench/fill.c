/* Fills an account with made contacts, deals and leads for the benches of browsing and searching:
 * the product's own store, in transactions of 500. Names and towns are common words, each email and
 * number is its own; notes have numbers, dates, phones and addresses within their text, and one
 * record in LONG_EVERY has a text of LONG_BYTES. What is left to the indexer is indexed at the end.
 *
 *   fill -c FILE ACCOUNT-ID COUNT [FIRST]    prints {"records":N,"seconds":S,"per_second":R} */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "base/app.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/config.h"
#include "job/job.h"
#include "record/record.h"

#define BATCH 500
#define LONG_EVERY 200
#define LONG_BYTES 60000

static const char *const firsts[] = {"Anna", "Bob", "Carla", "Daniel", "Eva", "Frank", "Grace",
    "Hugo", "Ines", "Jakub", "Karin", "Liam", "Mia", "Noah", "Olga", "Paul", "Renée", "Sofía",
    "Tom", "Ursula"};
static const char *const lasts[] = {"Novák", "Smith", "Müller", "Rossi", "Dubois", "García",
    "Jensen", "Kowalski", "Tanaka", "Nguyen", "Silva", "Ivanova", "Okafor", "Haddad", "Cohen"};
static const char *const towns[] = {"Paris", "Berlin", "New York", "Lisbon", "Praha", "København",
    "Tokyo", "Lagos", "São Paulo", "Kraków", "Porto", "Leeds"};
static const char *const types[] = {"contact", "contact", "contact", "deal", "lead"};
static const char *const providers[] = {"hubspot", "manual", "meta_lead_ads"};

#define PICK(list, n) list[(n) % (sizeof(list) / sizeof(list[0]))]

struct filling {
	struct arena *a;
	struct uuid account;
	int64_t first, count;
};

/* Words of a vocabulary of some thousands, and one that no other record has at the end. */
static const char *long_text(struct filling *f, int64_t n, uint64_t h)
{
	struct buf *b = buf_new(f->a, LONG_BYTES + 100);

	if (n % LONG_EVERY != 0)
		return "";
	while (b->len < LONG_BYTES) {
		h = h * 6364136223846793005u + 1442695040888963407u;
		buf_printf(b, "word%llu ", (unsigned long long)(h >> 33) % 5000);
	}
	buf_printf(b, "tail%lld", (long long)n);
	return b->p;
}

static void make(struct filling *f, int64_t n, struct record_item *it)
{
	uint64_t h = str_hash(&n, sizeof(n));
	const char *data = arena_printf(f->a,
	    "{\"address\":{\"city\":\"%s\",\"zip\":\"%05llu\"},\"amount\":%llu,\"company\":"
	    "\"Company %llu\","
	    "\"email\":\"%s.%lld@example%llu.com\",\"first_name\":\"%s\",\"last_name\":\"%s\","
	    "\"note\":\"Asked for a quote on day "
	    "%llu\",\"paid\":%s,\"phone\":\"+4420%08llu\",\"score\":%llu,"
	    "\"tags\":[\"%s\",\"tag%llu\"],\"text\":\"Order 2026-%08lld of 20%02llu-03-%02llu from "
	    "10.%llu.%llu.%llu, ring"
	    " 0171 %07llu%s%s\"}",
	    PICK(towns, h >> 8), (unsigned long long)(h >> 11) % 100000,
	    (unsigned long long)(h >> 5) % 90000, (unsigned long long)(h >> 3) % 5000,
	    PICK(firsts, h), (long long)n, (unsigned long long)(h >> 7) % 50, PICK(firsts, h),
	    PICK(lasts, h >> 4), (unsigned long long)(h >> 9) % 365, h % 10 == 0 ? "true" : "false",
	    (unsigned long long)n % 100000000, (unsigned long long)(h >> 13) % 100,
	    PICK(towns, h >> 17), (unsigned long long)(h >> 19) % 2000, (long long)n % 100000000,
	    (unsigned long long)(h >> 21) % 26, 1 + (unsigned long long)(h >> 23) % 28,
	    (unsigned long long)n >> 16 & 255, (unsigned long long)n >> 8 & 255,
	    (unsigned long long)n & 255, (unsigned long long)n % 10000000,
	    n % LONG_EVERY == 0 ? " " : "", long_text(f, n, h));

	*it = (struct record_item){.account_id = f->account,
	    .provider_type = str_from(PICK(providers, h >> 6)),
	    .resource_type = str_from(PICK(types, h >> 2)),
	    .external_id = str_from(arena_printf(f->a, "f-%lld", (long long)n)),
	    .source = RECORD_SOURCE_IMPORT,
	    .data = str_from(data),
	    .at_us = clock_now_us()};
}

static int fill_batch(struct db *db, void *arg, struct err *err)
{
	struct filling *f = arg;
	struct record_item items[BATCH];

	arena_reset(f->a);
	for (int64_t i = 0; i < f->count; i++)
		make(f, f->first + i, &items[i]);
	return record_upsert(db, f->a, items, (size_t)f->count, err);
}

int main(int argc, char **argv)
{
	struct arena *a = arena_new();
	struct config cfg = {0};
	struct filling f = {.a = arena_new()};
	struct err err = ERR_INIT;
	const char *file = NULL;
	int64_t total, done = 0, first = 1, started;
	struct db *db;
	int opt;

	while ((opt = getopt(argc, argv, "c:")) != -1)
		file = opt == 'c' ? optarg : NULL;
	if (argc - optind < 2 || !uuid_parse(str_from(argv[optind]), &f.account) ||
	    !str_to_i64(str_from(argv[optind + 1]), 1, 100000000, &total) ||
	    (argc - optind == 3 && !str_to_i64(str_from(argv[optind + 2]), 1, INT64_MAX, &first))) {
		fputs("usage: fill -c FILE ACCOUNT-ID COUNT [FIRST]\n", stderr);
		return 2;
	}
	if (config_load(a, file, &cfg, &err) == -1) {
		fprintf(stderr, "fill: %s\n", err.msg);
		return 1;
	}
	db = db_new(&cfg);
	started = clock_mono_us();
	while (done < total) {
		f.first = first + done;
		f.count = total - done < BATCH ? total - done : BATCH;
		if (db_transaction(db, fill_batch, &f, &err) == -1) {
			fprintf(stderr, "fill: %s\n", err.msg);
			return 1;
		}
		done += f.count;
	}
	struct app app = {.db = db};
	int rc;

	usleep(600000); /* so long the indexer leaves young records alone */
	while ((rc = record_index_waiting(&app, &err)) == BACKGROUND_AT_ONCE)
		;
	if (rc == -1) {
		fprintf(stderr, "fill: %s\n", err.msg);
		return 1;
	}
	double took = (double)(clock_mono_us() - started) / 1e6;

	printf("{\"records\":%lld,\"seconds\":%.3f,\"per_second\":%.1f}\n", (long long)done, took,
	    (double)done / took);
	db_free(db);
	arena_free(f.a);
	arena_free(a);
	return 0;
}
