/* What the pages of deliveries share. */
#ifndef CRM_CRM_PAGES_H
#define CRM_CRM_PAGES_H
#include "crm/crm-internal.h"

#define DELIVERIES_ADDRESS "/admin/deliveries"

enum crm_tab { CRM_TAB_DESTINATIONS, CRM_TAB_DELIVERIES, CRM_TAB_DEAD, CRM_TAB_ROUTING };
/* The tabs above them, for crm/tabs.html. */
void crm_show_tabs(json_t *data, enum crm_tab current);
/* connection_tell_push_error of its lastError; while it is sent again that is of the last time. By
 * the destination's name, or by another word where that stands beside. */
void crm_tell_error(struct arena *a, json_t *delivery);
void crm_tell_error_of(struct arena *a, json_t *delivery, const char *who);
/* Its connection_link_credentials. */
void crm_link_credentials(struct req *r, json_t *delivery);
/* What a delivery or an attempt lacked: "customFields.size, company", or NULL. */
const char *crm_lacking_text(struct arena *a, const json_t *attempt);
/* Why, where the filter asks for one reason (delivery_routes), in words; else NULL. */
const char *delivery_route_words(struct req *r, const struct delivery_filter *f);
/* n leads were skipped while a destination lacked a credential, which is there now: o has "lacked",
 * the number, and "lacked_href", where they are sent by who may. */
void crm_tell_lacked(struct req *r, struct uuid connection_id, int64_t n, json_t *o);
/* To the page that shows how far the task is, for who may see it; else to the list of what it has
 * not delivered. */
int crm_redirect_to_task(struct req *r, const struct uuid *task_id);
/* Sends one delivery again: 1, 0 there is none or it was taken, -1. The task, or NULL, is to watch
 * it. */
int delivery_again(
    struct req *r, const struct uuid *id, const struct uuid *task_id, struct err *err);
/* It is on its way, so that its page is worth a look in a moment. */
bool delivery_is_under_way(const json_t *delivery);
/* A filter as hidden fields of a form: [{name,value}]. */
json_t *delivery_filter_fields(struct req *r, const struct delivery_filter *f);
/* path with that filter as its query. */
const char *deliveries_address(struct req *r, const char *path, const struct delivery_filter *f);
#endif
