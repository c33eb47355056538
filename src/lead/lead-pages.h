/* What the leads page is told by the composition. */
#ifndef LEAD_LEAD_PAGES_H
#define LEAD_LEAD_PAGES_H

#include "lead/lead.h"

/* Adds "title" to rows that name a lead by its id under key: what people call it. Of leads that are
 * gone there is none. */
int lead_add_titles(struct req *r, json_t *rows, const char *key, struct err *err);
int lead_add_title(struct req *r, json_t *lead, struct err *err); /* of one, by its "id" */
/* Adds what lists of leads show to each of rows: title, connectionName, and "delivery", what became
 * of it in one chip: {kind, word, share, who, at, why}, null when there was no destination. */
int lead_page_rows(struct req *r, json_t *rows, struct err *err);
/* The chip alone, of a row that has "destinations" and "syncStatus". */
void lead_show_delivery(struct arena *a, json_t *row, struct str stage);
/* The leads of the list that a form was sent from (its fields query and status), at most max;
 * *has_more: there are more. ERR_INVALID when it is no list. */
int lead_page_matching(
    struct req *r, struct uuid *ids, size_t max, size_t *n, bool *has_more, struct err *err);

/* The hook tell_connection: how many leads came through it today. */
int lead_tell_connection(struct req *r, const struct connection *c, json_t *data, struct err *err);

/* Adds "destinations" to each of the leads, as far as the actor may see them. */
int lead_add_destinations(struct req *r, json_t *leads, struct err *err);
/* What the page of the leads tells of all of them (lead-figures.c). */
int lead_add_figures(struct req *r, json_t *data, struct err *err);
/* Takes out of a lead's destinations what they answered, unless the actor holds crm.view: that is
 * of the deliveries. How each stands is the lead's own. */
void lead_hide_answers(const struct req *r, json_t *destinations);

#endif
