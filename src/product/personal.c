/* Where an account's tables name people (db/personal.h), in the order in which they are walked. */
#include "account/audit.h"
#include "connection/connection.h"
#include "crm/crm.h"
#include "flow/flow.h"
#include "import/import.h"
#include "intake/erase.h"
#include "job/job.h"
#include "lead/lead.h"
#include "product/product.h"
#include "record/record.h"
#include "table/table.h"
#include "task/task.h"

/* Leads first: each takes its record with it. */
const struct personal_table *const product_personal_tables[] = {&leads_personal_table,
    &records_personal_table, &changes_personal_table, &fields_personal_table, &views_personal_table,
    &events_personal_table, &deliveries_personal_table, &attempts_personal_table,
    &executions_personal_table, &execution_steps_personal_table, &execution_states_personal_table,
    &table_rows_personal_table, &idempotency_personal_table, &import_errors_personal_table,
    &tasks_personal_table, &jobs_personal_table, &breakers_personal_table, &polls_personal_table,
    &connections_personal_table, &audit_personal_table, NULL};
