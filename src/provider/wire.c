/* Stand-ins for providers (connect.conf(5), provider_origins). Manifests, settings and answers
 * speak of the real addresses, and are checked as such: it is only the wire that leads elsewhere.
 */
#include "base/config.h"
#include "provider/provider-internal.h"

const char *provider_wire_url(
    const struct config *cfg, struct arena *a, const struct provider *p, const char *url)
{
	static const char https[] = "https://";
	struct str base;

	if (cfg->provider_origins == NULL || strncasecmp(url, https, sizeof(https) - 1) != 0 ||
	    !config_pair(cfg->provider_origins, p->name, &base))
		return url;
	while (base.n > 0 && base.p[base.n - 1] == '/')
		base.n--;
	return arena_printf(a, "%.*s/%s", (int)base.n, base.p, url + sizeof(https) - 1);
}
