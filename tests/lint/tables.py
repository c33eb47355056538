#!/usr/bin/env python3
"""Each table of db/migrations belongs to one room: its statements stand there and nowhere else.

OWNERS says whose a table is, VISITORS who else may name it and why, HALF_USED what waits for its other
half. A row that is no longer true fails as well.
"""
import re

from _tap import Report, files, line_of, read, statements, without_comments

OWNERS = {
    "db": "schema_migrations",
    "job": "jobs job_lanes job_windows job_breakers",
    "account": "accounts users memberships sessions api_keys audit_log one_time_tokens recovery_codes "
               "idempotency_keys kept_keys",
    "connection": "connections provider_apps oauth_grants oauth_logins subscriptions",
    "record": "records record_changes record_counts record_search record_search_queue record_fields "
              "record_field_totals record_field_progress record_retention record_moves views",
    "task": "tasks",
    "import": "import_errors",
    "lead": "leads lead_rules lead_firsts lead_counts",
    "table": "user_tables table_rows table_cells table_counts",
    "delivery": "lead_delivery_attempts",
    "crm": "mappings mapping_versions mapping_fields route_counts lead_deliveries push_items "
           "push_counts lead_copies",
    "flow": "flows flow_versions flow_counts executions execution_steps execution_states "
            "flow_triggers execution_turns",
    "intake": "events event_keys polls erasures",
}

# (room, table): why the room names a table of another.
VISITORS = {
    ("record", "leads"): "a record of a lead is listed by the lead's fields and deleted with the lead",
    ("record", "lead_copies"): "a record that is a lead which was pushed there is no second lead",
    ("record", "lead_deliveries"): "a lead and its record are partly delivered by one rule, which asks who misses it",
    ("lead", "records"): "a lead is searched by its record",
    ("lead", "connections"): "a phone number is at home where its lead's connection is",
    ("crm", "leads"): "a delivery is shown with the lead that it delivers",
    ("crm", "accounts"): "a destination's leads of the day are counted by the days of the account's zone",
    ("crm", "connections"): "a delivery is shown with the name of its destination",
    ("crm", "records"): "a flow pushes the lead of its record",
    ("crm", "lead_delivery_attempts"): "a delivery is shown with its attempts",
    ("intake", "leads"): "an event's page links to what the event made",
    ("intake", "records"): "an event's page links to what the event made",
    ("intake", "record_changes"): "an event's page links to what the event made",
    ("intake", "connections"): "connections that lack a poll of their manifest are looked for",
    ("product", "connections"): "counts of the dashboard",
    ("product", "events"): "counts of the dashboard",
    ("product", "leads"): "counts of the dashboard",
    ("product", "executions"): "counts of the dashboard",
    ("product", "lead_deliveries"): "counts of the dashboard",
    ("product", "tasks"): "counts of the dashboard",
    ("cmd", "jobs"): "the doctor looks for jobs that nobody runs",
    ("cmd", "job_lanes"): "the doctor looks for jobs that nobody runs",
    ("cmd", "users"): "the doctor asks whether anybody can sign in",
}

# A table or table.column that is not both written and read yet.
HALF_USED = {
}

NAMED = re.compile(r"\b(INTO|UPDATE|FROM|JOIN)\s+(\w+)")
COLUMN = re.compile(r"^\s+(?!(?:PRIMARY|UNIQUE|KEY|INDEX|FULLTEXT|CONSTRAINT|FOREIGN|PARTITION|CHECK)\b)"
                    r"([a-z]\w*)\s+[A-Z]", re.M)


def schema():
    """Table → its columns, after all migrations."""
    tables = {"schema_migrations": set()}   # made by src/db/migrate.c itself
    for path in files("db/migrations", ".sql"):
        text = re.sub(r"--[^\n]*", "", read(path))
        for statement in re.split(r";[ \t]*$", text, flags=re.M):
            words = statement.split()
            if words[:2] == ["CREATE", "TABLE"]:
                body = statement[statement.index("("):]
                tables[words[2].strip("(")] = set(COLUMN.findall(body))
            elif words[:2] == ["DROP", "TABLE"]:
                del tables[words[-1]]
            elif words[:2] == ["RENAME", "TABLE"]:
                tables[words[4]] = tables.pop(words[2])
            elif words[:2] == ["ALTER", "TABLE"]:
                columns = tables[words[2]]
                columns.update(re.findall(r"\bADD COLUMN (\w+)", statement))
                columns.difference_update(re.findall(r"\bDROP COLUMN (\w+)", statement))
                for old, new in re.findall(r"\b(?:RENAME|CHANGE) COLUMN (\w+) (?:TO )?(\w+)", statement):
                    columns.remove(old)
                    columns.add(new)
                for name in re.findall(r"\bRENAME TO (\w+)", statement):
                    tables[name] = tables.pop(words[2])
    return tables


def texts(path):
    """(offset, SQL) of a file's statements and of the #defines they share."""
    text = without_comments(read(path))
    spans = statements(text) + [m.span() for m in
                                re.finditer(r"^[ \t]*#[ \t]*define(?:[^\n]*\\\n)*[^\n]*", text, re.M)]
    for start, end in spans:
        pieces = re.findall(r'"((?:[^"\\\n]|\\.)*)"', text[start:end])
        yield line_of(text, start), "".join(pieces)


def main():
    report = Report()
    tables = schema()
    owner = {table: room for room, owned in OWNERS.items() for table in owned.split()}
    strangers, visits, written, all_sql = [], set(), set(), []
    for path in files("src", ".c", ".h"):
        room = path.split("/")[1]
        for line, sql in texts(path):
            all_sql.append(sql)
            for how, table in NAMED.findall(sql):
                if table not in tables:
                    continue
                if how == "INTO":
                    written.add(table)
                if room == owner.get(table):
                    continue
                visits.add((room, table))
                if (room, table) not in VISITORS:
                    strangers.append("%s:%d: %s belongs to %s" % (path, line, table, owner.get(table)))
    report.check("tables: each has an owner", sorted(set(tables) - set(owner)))
    report.check("tables: each owner's table is there", sorted(set(owner) - set(tables)))
    report.check("tables: a room's statements name its own tables", strangers)
    report.check("tables: every visitor still comes",
                 ["%s no longer names %s" % v for v in sorted(set(VISITORS) - visits)])
    words = set(re.findall(r"\w+", " ".join(all_sql)))
    half = set(tables) - written
    half |= {"%s.%s" % (t, c) for t, columns in tables.items() for c in columns if c not in words}
    report.check("tables: all is written, and every column named", sorted(half - set(HALF_USED)))
    report.check("tables: what is half used still is", sorted(set(HALF_USED) - half))
    report.done()


main()
