/* Every bound of the product in one place; crossing one is an ordinary error. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define LIMIT_ARENA_BLOCK (32u * 1024u)  /* bytes a fresh arena block holds */
#define LIMIT_HEADER_BYTES (64u * 1024u) /* all request headers together */
#define LIMIT_HEADERS 128u               /* headers, form fields of a request */
#define LIMIT_FORM_FIELDS 1000u
#define LIMIT_BODY_WEBHOOK (1024u * 1024u) /* raw webhook body, unless a manifest says more */
#define LIMIT_BODY_WEBHOOK_MOST (8u * 1024u * 1024u)
#define LIMIT_BODY_JSON (1024u * 1024u) /* API body */
#define LIMIT_BODY_FORM (256u * 1024u)  /* admin form */
#define LIMIT_BODY_PUBLIC (16u * 1024u) /* JSON of whoever is not known yet */
#define LIMIT_BODY_UPLOAD (4ull * 1024u * 1024u * 1024u)
#define LIMIT_MULTIPART_MEMORY (64u * 1024u) /* a part above it goes to a file */
#define LIMIT_MULTIPART_PARTS 512u
#define LIMIT_JSON_DEPTH 64u /* nesting of accepted JSON */
#define LIMIT_JSON_BYTES (4u * 1024u * 1024u)
#define LIMIT_PATH_BYTES 512u /* dotted path */
#define LIMIT_PATH_STEPS 32u
#define LIMIT_URL_BYTES 4096u
#define LIMIT_PAGE_BYTES (8u * 1024u * 1024u) /* rendered page or JSON of an answer */
#define LIMIT_TEMPLATE_BYTES (256u * 1024u)
#define LIMIT_TEMPLATE_DEPTH 16u
#define LIMIT_HTTP_ANSWER (4u * 1024u * 1024u) /* body taken from a foreign server */
#define LIMIT_HTTP_REDIRECTS 3u
#define LIMIT_COOKIE_BYTES 4096u
#define LIMIT_MANIFEST_BYTES (512u * 1024u)
#define LIMIT_ITEMS_PER_COMMIT 1000u /* of one webhook; more go in parts */
#define LIMIT_COMMIT_BYTES                                                                         \
	(4u * 1024u * 1024u) /* payloads of the records and leads of such a part */
/* What all items of a webhook may weigh in memory (json_weight), or a few times its own weight. */
#define LIMIT_EVENT_WEIGHT (8u * 1024u * 1024u)
#define LIMIT_RECORD_BYTES (1024u * 1024u) /* stored payload of one record */
#define LIMIT_EXTERNAL_ID_BYTES 255u
#define LIMIT_TYPE_BYTES 64u  /* provider_type, resource_type */
#define LIMIT_NAME_BYTES 200u /* names people give to things */
#define LIMIT_EMAIL_BYTES 254u
#define LIMIT_PASSWORD_BYTES 1024u
#define LIMIT_PAGE_ROWS 200 /* limit= of a list */
#define LIMIT_PAGE_DEFAULT 25
#define LIMIT_PAGE_NUMBER 1000    /* page=; beyond it a cursor must be used */
#define LIMIT_REJECTED_BODY 4096u /* kept of a request that failed verification */
#define LIMIT_REJECTED_HEADERS 4096u
#define LIMIT_FIBER_STACK (256u * 1024u)
#define LIMIT_WEBHOOK_ACCOUNTS 1000u /* external ids that one payload names */
#define LIMIT_DB_ROWS 10000u         /* rows of one buffered result */
#define LIMIT_DB_BATCH 64u           /* rows of one multi-row statement */
#define LIMIT_TABLES 500             /* tables of an account's own */
#define LIMIT_TABLE_COLUMNS 100u     /* of one table, those that were removed included */
#define LIMIT_TABLE_INDEXED 10u      /* columns of a table that are found by */
#define LIMIT_TABLE_ROWS 10000000    /* of one table */
#define LIMIT_TABLE_ROW_BYTES (256u * 1024u)
#define LIMIT_TABLE_CHANGE_ROWS 5000 /* a change that must look at more rows is a task */
#define LIMIT_TABLE_SORT_ROWS 5000   /* most that are sorted by a column without an index */
#define LIMIT_TABLE_SCAN_ROWS 50000  /* looked through for a value of such a column */

#endif
