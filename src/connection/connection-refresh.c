#include "connection/connection-refresh.h"

int connection_refresh(
    struct app *app, struct arena *a, struct connection *c, const char *why, struct err *err)
{
	(void)app;
	(void)a;
	(void)c;
	(void)why;
	(void)err;
	return 0;
}
