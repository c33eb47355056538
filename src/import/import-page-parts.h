/* What the pages of imports have in common: choices of how a file is read, and what is wrong. */
#ifndef IMPORT_IMPORT_PAGE_PARTS_H
#define IMPORT_IMPORT_PAGE_PARTS_H
#include "import/import-internal.h"

#define IMPORT_WHAT "such import. It may have been discarded"

/* The page of the task: the preview of a draft, else its progress. */
const char *import_address(struct req *r, const struct task *t);
/* A cell cut at the end of a character. */
json_t *import_cell_clipped(struct str s);
/* {value,label,is_current}, and lists of them. */
json_t *import_choice(const char *value, const char *label, bool is_current);
json_t *import_choices_of_delimiter(char now);
json_t *import_choices_of_encoding(enum csv_encoding now);
json_t *import_choices_of_blank(bool is_cleared);
/* How the posted form says that the file is to be read. */
void import_form_read_format(struct req *r, struct csv_format *f);
const char *import_error_sentence(struct req *r, const struct err *err);
#endif
