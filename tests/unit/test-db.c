#include "test-db.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "base/arena.h"
#include "base/config.h"
#include "db/migrate.h"
#include "test.h"

static struct arena *arena;
static struct config *config;
static struct db *db, *server;

static void drop(void)
{
	if (server != NULL) {
		db_script(server,
		    arena_printf(arena, "DROP DATABASE IF EXISTS %s", config->db_name), NULL);
		db_free(server);
	}
	db_free(db);
	arena_free(arena);
}

static int make(const char *socket, struct err *err)
{
	struct config *of_server;
	int applied;

	arena = arena_new();
	config = arena_zalloc(arena, sizeof(*config));
	if (config_load(arena, NULL, config, err) != 0)
		return -1;
	config->db_socket = socket;
	config->db_host = "";
	config->db_user = "root";
	config->db_password = "";
	config->db_name = arena_printf(arena, "connect_unit_%ld", (long)getpid());
	of_server = arena_memdup(arena, config, sizeof(*config));
	of_server->db_name = "information_schema";
	server = db_new(of_server);
	atexit(drop);
	if (db_script(server, arena_printf(arena, "DROP DATABASE IF EXISTS %s", config->db_name),
		err) != 0 ||
	    db_script(server,
		arena_printf(arena, "CREATE DATABASE %s CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
		    config->db_name),
		err) != 0)
		return -1;
	db = db_new(config);
	return migrate_up(db, CONNECT_SRCDIR "/db/migrations", &applied, err);
}

struct db *test_db(void)
{
	static int is_made;
	const char *socket = getenv("CONNECT_TEST_DB_SOCKET");
	struct err err = ERR_INIT;

	if (socket == NULL || *socket == '\0') {
		test_skip("no database: CONNECT_TEST_DB_SOCKET is not set");
		return NULL;
	}
	if (is_made == 0) {
		is_made = make(socket, &err) == 0 ? 1 : -1;
		if (is_made == -1)
			printf("# the test schema could not be made: %s\n", err.msg);
	}
	if (is_made == 1)
		return db;
	CU_FAIL("the test schema could not be made");
	return NULL;
}

const struct config *test_db_config(void)
{
	return config;
}
