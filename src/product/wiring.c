/* Which features are told of what: the only place that knows all of them. */
#include "account/account.h"
#include "connection/connection-pages.h"
#include "connection/connection-probe.h"
#include "connection/grant.h"
#include "connection/subscriptions.h"
#include "crm/crm-timeline.h"
#include "crm/crm.h"
#include "flow/flow-timeline.h"
#include "flow/flow.h"
#include "flow/trigger.h"
#include "html/chrome.h"
#include "import/import.h"
#include "intake/event-timeline.h"
#include "intake/intake.h"
#include "intake/lead-import.h"
#include "intake/lead-reconcile.h"
#include "intake/polls.h"
#include "lead/lead-pages.h"
#include "lead/lead.h"
#include "privacy/privacy.h"
#include "product/attention.h"
#include "product/product.h"
#include "record/record-bulk.h"
#include "record/record.h"
#include "table/table.h"
#include "task/task.h"

#define DATA "Data"
#define AUTOMATION "Automation"
#define CONNECTED "Connections"
#define MONITORING "Monitoring"
static const struct chrome_nav product_nav[] = {
    {"dashboard", "Home", "/admin/dashboard", "gauge", 0, NULL,
	.help = "What needs attention comes first, then how much came in today and whether it was "
		"delivered."},
    {"leads", "Leads", "/admin/leads", "people", PERMIT(LEADS_VIEW), NULL, DATA,
	"Every person who answered a form, and what became of them at your destinations. Tick "
	"those "
	"that failed to send them again.",
	.api = "GET /connect/v1/leads"},
    {"records", "Records", "/admin/records", "stack", PERMIT(RECORDS_VIEW), NULL, DATA,
	"Everything a source sent or a file brought: one record per thing, with its history. Save "
	"a "
	"list you look at often as a view.",
	.api = "GET /connect/v1/records"},
    {"tables", "Tables", "/admin/tables", "columns", PERMIT(TABLES_VIEW), NULL, DATA,
	"Tables of your own, with the columns that you give them: filled by hand, from files, by "
	"the API and by flows.",
	.api = "GET /connect/v1/tables"},
    {"flows", "Flows", "/admin/flows", "flow", PERMIT(FLOWS_VIEW), NULL, AUTOMATION,
	"What happens by itself when something comes in: a trigger and steps, which you put "
	"together "
	"here.",
	.api = "GET /connect/v1/flows", .tab = "Flows"},
    {"runs", "Runs", "/admin/task-history", "runs", PERMIT(TASK_HISTORY_VIEW), NULL, AUTOMATION,
	"Every time a flow ran: what started it, what each step was given and gave, and why it "
	"failed. Run it again from here once the cause is mended.",
	.api = "GET /connect/v1/task-history", .tab = "Flow runs"},
    {"runs", "Runs", "/admin/imports", "runs", PERMIT(RECORDS_VIEW), NULL, AUTOMATION,
	"Long work that was begun by hand: files that were imported, records that were deleted or "
	"processed again, leads that were sent again. Rows of a file that could not be taken are "
	"kept with it.",
	.api = "GET /connect/v1/tasks", .tab = "Imports and bulk work"},
    {"connections", "Connections", "/admin/connections", "plug", PERMIT(CONNECTIONS_VIEW), NULL,
	CONNECTED, "The sources that send to you, and the destinations that get your leads.",
	.api = "GET /connect/v1/connections", .tab = "Connections"},
    {"deliveries", "Deliveries", "/admin/crm", "send", PERMIT(CRM_VIEW), NULL, CONNECTED,
	"How your destinations are, and one line for each lead and destination: whether it was "
	"taken, and what the destination said.",
	.api = "GET /connect/v1/crm/deliveries"},
    {"events", "Incoming", "/admin/events", "bolt", PERMIT(WEBHOOKS_VIEW), NULL, MONITORING,
	"Every webhook request as it came, the refused ones too, with what came of it.",
	.api = "GET /connect/v1/events"},
    {"queue", "Queue", "/admin/queue", "clock", PERMIT(SETTINGS_VIEW), NULL, MONITORING,
	"Work that waits behind the answer: a lane for each destination, so that none holds up the "
	"others.",
	.api = "GET /connect/v1/queue"},
    {"settings", "Settings", "/admin/settings", "gear", 0, NULL, NULL,
	"The account, its people and keys, how long data are kept, who did what; and your own "
	"profile.",
	.api = "GET /connect/v1/me"},
    {"flows", "Triggers", "/admin/triggers", NULL, PERMIT(TRIGGERS_VIEW), NULL, NULL,
	"What starts flows: records that arrive, lists that are asked for new items, the clock.",
	.api = "GET /connect/v1/triggers", .tab = "Triggers"},
    {"connections", "Actions", "/admin/actions", NULL, PERMIT(ACTIONS_VIEW), NULL, NULL,
	"What Connect can do at your providers, such as sending a message or making a contact.",
	.api = "GET /connect/v1/actions", .tab = "Actions"},
    {"records", "Records", "/admin/views", NULL, PERMIT(RECORDS_VIEW), .back = "/admin/records"},
    {"deliveries", "Deliveries", "/admin/deliveries", NULL, PERMIT(CRM_VIEW), .back = NULL},
    {"deliveries", "Routing", "/admin/routing", NULL, PERMIT(CRM_VIEW), .back = NULL},
    {"connections", "Connections", "/admin/connect", NULL, PERMIT(CONNECTIONS_VIEW),
	.back = "/admin/connections"},
    {.path = NULL},
};

/* The parts of the settings, in the order of their tabs; the first that a person may see is where
 * the settings begin. */
static const struct chrome_nav product_settings[] = {
    {"account", "Account", "/admin/settings/account", .permission = PERMIT(SETTINGS_VIEW)},
    {"people", "People", "/admin/settings/people", .permission = PERMIT(SETTINGS_VIEW)},
    {"api-keys", "API keys", "/admin/settings/api-keys", .permission = PERMIT(SETTINGS_VIEW)},
    {"apps", "Apps", "/admin/settings/apps", .permission = PERMIT(SETTINGS_VIEW)},
    {"duplicates", "Duplicate leads", "/admin/settings/duplicates",
	.permission = PERMIT(SETTINGS_VIEW)},
    {"retention", "Data retention", "/admin/settings/retention",
	.permission = PERMIT(SETTINGS_VIEW)},
    {"privacy", "Privacy", "/admin/settings/privacy", .permission = PERMIT(SETTINGS_WRITE)},
    {"audit", "Audit log", "/admin/settings/audit", .permission = PERMIT(AUDIT_VIEW)},
    {"profile", "My profile", "/admin/settings/profile", .permission = 0},
    {.path = NULL},
};

#define OF_A_TASK .died = task_job_died, .revived = task_jobs_revived
/* A push is tried again by its own schedule for days, a lead's details for hours. */
static const struct job_kind job_kinds[] = {
    {.name = "lead.process",
	.run = lead_job_process,
	.load = lead_job_load,
	.max_attempts = 20,
	.died = lead_job_died,
	.revived = lead_jobs_revived},
    {.name = "crm.push",
	.run = crm_job_push,
	.load = crm_job_load,
	.max_attempts = 1000,
	.lease_s = 300,
	.died = crm_push_died,
	.revived = crm_pushes_revived},
    {.name = "event.process",
	.run = event_job_process,
	.max_attempts = 20,
	.died = event_job_died,
	.revived = event_jobs_revived},
    {.name = "connection.subscribe", .run = subscription_job_keep, .max_attempts = 1000},
    {.name = "connection.unsubscribe", .run = subscription_job_end, .max_attempts = 12},
    {.name = "poll.run", .run = poll_job_run, .max_attempts = 1000, .lease_s = 300},
    {.name = "event.replay", .run = event_job_replay, .max_attempts = 15, OF_A_TASK},
    {.name = "event.effects", .run = event_job_effects, .max_attempts = 20},
    {.name = "flow.dispatch", .run = trigger_job_dispatch, .max_attempts = 20},
    {.name = "flow.schedule", .run = trigger_job_schedule, .max_attempts = 1000},
    {.name = "flow.run",
	.run = flow_job_run,
	.load = flow_job_load,
	.max_attempts = 20,
	.lease_s = 300,
	.died = flow_job_died,
	.revived = flow_jobs_revived},
    {.name = "flow.repeat", .run = execution_job_repeat, .max_attempts = 50, OF_A_TASK},
    {.name = "crm.push_all", .run = crm_job_push_all, .max_attempts = 20, OF_A_TASK},
    {.name = "record.fetch",
	.run = record_job_fetch,
	.load = record_job_fetch_load,
	.max_attempts = 12},
    {.name = "record.delete", .run = record_job_delete, .max_attempts = 15, OF_A_TASK},
    {.name = "record.replay", .run = record_job_replay, .max_attempts = 15, OF_A_TASK},
    {.name = "lead.import", .run = lead_import_job, .max_attempts = 50, OF_A_TASK},
    {.name = "lead.reconcile", .run = lead_reconcile_job, .max_attempts = 50, OF_A_TASK},
    {.name = "poll.backfill", .run = poll_job_backfill, .max_attempts = 50, OF_A_TASK},
    {.name = "privacy.erase", .run = privacy_job_erase, .max_attempts = 50, OF_A_TASK},
    {.name = "privacy.export", .run = privacy_job_export, .max_attempts = 50, OF_A_TASK},
    {.name = "record.import", .run = import_job_run, .max_attempts = 50, OF_A_TASK},
    {.name = "table.import", .run = table_job_import, .max_attempts = 50, OF_A_TASK},
    {.name = "table.change", .run = table_job_change, .max_attempts = 50, OF_A_TASK},

    {.name = "grant.refresh", .run = grant_job_refresh, .max_attempts = 20},
    {.name = "grant.revoke", .run = grant_job_revoke, .max_attempts = 20},
    {.name = "connection.probe", .run = connection_job_probe, .max_attempts = 3},

    {.name = "account.purge", .every_s = 3600, .work = account_purge},
    {.name = "event.partitions", .every_s = 60, .lease_s = 600, .work = event_partitions},
    {.name = "event.retain", .every_s = 3600, .lease_s = 600, .work = event_retain},
    {.name = "event.keys", .every_s = 3600, .work = event_keys_forget},
    {.name = "connection.subscriptions", .every_s = 300, .work = subscriptions_keep},
    {.name = "leads.reconcile", .every_s = 600, .work = lead_reconcile_plan},
    {.name = "polls.keep", .every_s = 60, .work = polls_keep},
    {.name = "record.fields", .every_s = 5, .work = record_fields_update},
    {.name = "record.moves", .every_s = 60, .work = record_moves_forget},
    {.name = "triggers.keep", .every_s = 300, .work = triggers_keep},
    {.name = "flow.retain", .every_s = 3600, .work = flow_retain},
    {.name = "record.retain", .every_s = 60, .work = record_retain},
    {.name = "grant.due", .every_s = 10, .work = grant_due},
    {.name = "login.purge", .every_s = 300, .work = login_purge},
    {.name = "connection.probes", .every_s = 600, .work = connection_probes},
    {.name = "crm.purge", .every_s = 3600, .work = crm_purge},
    {.name = "lead.counts", .every_s = 3600, .work = lead_counts_forget},
    {.name = "job.lanes", .every_s = 3600, .work = job_lanes_purge},
    {.name = "privacy.purge", .every_s = 3600, .work = privacy_purge},
    {.name = "import.purge", .every_s = 3600, .work = import_purge},
    {.name = NULL},
};

static const struct task_kind *const task_kinds[] = {&crm_push_task, &poll_backfill_task,
    &lead_import_task, &lead_reconcile_task, &import_task, &record_delete_task, &record_replay_task,
    &event_replay_task, &execution_repeat_task, &table_alter_task, &table_import_task,
    &privacy_erase_task, &privacy_export_task, NULL};

const struct hooks product_hooks = {
    .connection_template = crm_check_template,
    .lead_ready = (lead_ready_fn *const[]){crm_on_lead_ready, triggers_on_lead_ready, NULL},
    .lead_corrected =
	(lead_corrected_fn *const[]){crm_on_lead_corrected, triggers_on_lead_corrected, NULL},
    .lead_erased = (lead_erased_fn *const[]){crm_on_lead_erased, NULL},
    .lead_decorate = crm_add_destinations,
    .record_dispatch = triggers_replay,
    .records_stored = triggers_tell,
    .records_upsert = lead_records_upsert,
    .trigger_changed = polls_follow_trigger,
    .tell_triggers = polls_tell_triggers,
    .trigger_poll_check = poll_trigger_check,
    .trigger_poll_try = poll_trigger_try,
    .record_timeline =
	(record_timeline_fn *const[]){event_timeline, crm_timeline, flow_timeline, NULL},
    .lead_timeline = (lead_timeline_fn *const[]){flow_lead_timeline, NULL},
    .personal_tables = product_personal_tables,
    .task_kinds = task_kinds,
    .job_kinds = job_kinds,
    .nav = product_nav,
    .settings = product_settings,
    .nav_badges = attention_badges,
    .tell_connections = event_tell_connections,
    .tell_connection = (tell_connection_fn *const[]){lead_tell_connection, crm_tell_connection,
	polls_tell_connection, event_tell_refused, NULL},
    .connection_activity =
	(tell_connection_fn *const[]){event_connection_activity, crm_connection_activity, NULL},
    .connection_changed =
	(connection_changed_fn *const[]){polls_follow_connection, crm_follow_connection, NULL},
    .tell_records = event_tell_records,
    .provider_label = provider_label,
};

const struct job_kind *product_job_kinds(size_t *n)
{
	*n = sizeof(job_kinds) / sizeof(job_kinds[0]) - 1;
	return job_kinds;
}

int product_background(struct app *app, struct err *err)
{
	return record_index_waiting(app, err);
}
