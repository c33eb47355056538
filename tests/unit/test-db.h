/* A fresh schema for the suites that need a database. */
#ifndef TESTS_UNIT_TEST_DB_H
#define TESTS_UNIT_TEST_DB_H

#include "db/db.h"

/* A connection to a database of this run's own, with every migration applied; made at the first
 * call, dropped when the program ends. Without CONNECT_TEST_DB_SOCKET (the socket of a server that
 * lets root in) the running test is marked as skipped and the answer is NULL; when the schema
 * cannot be made the running test fails, and NULL too. */
struct db *test_db(void);
/* The configuration it is reached with, for objects that make a connection of their own. */
const struct config *test_db_config(void);

#endif
