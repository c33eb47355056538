/* Who hears of a change of a connection, whoever makes it: within its transaction. */
#include "connection/connection-internal.h"
#include "connection/subscriptions.h"

int connection_tell_changed(
    struct app *app, struct arena *a, const struct connection *c, bool is_gone, struct err *err)
{
	connection_changed_fn *const *told = app->hooks.connection_changed;

	if (subscriptions_follow_connection(app, a, c, is_gone, err) == -1)
		return -1;
	for (; told != NULL && *told != NULL; told++)
		if ((*told)(app, a, c, is_gone, err) == -1)
			return -1;
	return 0;
}
