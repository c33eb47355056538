/* Permissions `area.verb` as bits, and the roles that bundle them. */
#ifndef ACCOUNT_PERMISSION_H
#define ACCOUNT_PERMISSION_H
#include "base/json.h"
#include <stdbool.h>
#include <stdint.h>
/* One row per permission: PERM(CONSTANT, "area.verb"). The order is stored nowhere: keys keep
 * names. */
/* clang-format off */
#define PERMISSION_LIST(PERM)                                                                      \
	PERM(RECORDS_VIEW, "records.view") PERM(RECORDS_WRITE, "records.write")                    \
	PERM(LEADS_VIEW, "leads.view") PERM(LEADS_WRITE, "leads.write")                            \
	PERM(CRM_VIEW, "crm.view") PERM(CRM_WRITE, "crm.write")                                    \
	PERM(FLOWS_VIEW, "flows.view") PERM(FLOWS_WRITE, "flows.write")                            \
	PERM(TRIGGERS_VIEW, "triggers.view") PERM(TRIGGERS_WRITE, "triggers.write")                \
	PERM(ACTIONS_VIEW, "actions.view") PERM(ACTIONS_EXECUTE, "actions.execute")                \
	PERM(TABLES_VIEW, "tables.view") PERM(TABLES_WRITE, "tables.write")                        \
	PERM(TASK_HISTORY_VIEW, "task_history.view")                                               \
	PERM(ALERTS_VIEW, "alerts.view") PERM(ALERTS_WRITE, "alerts.write")                        \
	PERM(CONNECTIONS_VIEW, "connections.view") PERM(CONNECTIONS_WRITE, "connections.write")    \
	PERM(PROXY_EXECUTE, "proxy.execute")                                                       \
	PERM(WEBHOOKS_VIEW, "webhooks.view") PERM(WEBHOOKS_WRITE, "webhooks.write")                \
	PERM(MAPPING_VIEW, "mapping.view") PERM(MAPPING_WRITE, "mapping.write")                    \
	PERM(SETTINGS_VIEW, "settings.view") PERM(SETTINGS_WRITE, "settings.write")                \
	PERM(AUDIT_VIEW, "audit.view")
/* clang-format on */

enum permission_index {
#define PERM(c, n) PERM_INDEX_##c,
	PERMISSION_LIST(PERM)
#undef PERM
	    PERMISSION_COUNT
};
/* The bit of a permission: PERMIT(RECORDS_VIEW); a constant expression. */
#define PERMIT(c) (UINT64_C(1) << PERM_INDEX_##c)

const char *permission_name(uint64_t bits); /* of the lowest bit set; "" for none */
uint64_t permission_parse(struct str name); /* its bit; 0 when unknown */
/* viewer: every *.view but settings and audit; manager: viewer and every write/execute but
 * settings; admin: all. 0 for another name. */
uint64_t permission_of_role(const char *role);
uint64_t permission_all(void);
json_t *permission_list_json(uint64_t bits); /* array of names */
/* From an array of names, "*" meaning all; unknown names: ERR_INVALID on field "permissions". */
int permission_from_json(const json_t *names, uint64_t *bits, struct err *err);
#endif
