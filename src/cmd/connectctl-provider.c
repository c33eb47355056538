/* Provider manifests. */
#include "base/buf.h"
#include "cmd/connectctl.h"
#include "provider/provider.h"

#define TAP_BYTES (1u << 20)

int ctl_provider_check(struct ctl *c, struct err *err)
{
	const struct ctl_option options[] = {{.name = NULL}};
	struct ctl_list files = {0};
	int status = CTL_OK;

	if (ctl_read(c, options, &files, 1, SIZE_MAX) != CTL_OK)
		return CTL_USAGE;
	for (size_t i = 0; i < files.n; i++) {
		struct buf *out = buf_new(c->a, TAP_BYTES);
		int failed;

		err_clear(err);
		failed = provider_check(files.v[i], out, err);
		fwrite(out->p, 1, out->len, stdout);
		if (failed < 0)
			fprintf(stderr, "connectctl: %s\n", err->msg);
		if (failed != 0)
			status = CTL_FAILED;
	}
	return status;
}

int ctl_provider_list(struct ctl *c, struct err *err)
{
	bool as_json = false;
	const struct ctl_option options[] = {{.name = "json", .flag = &as_json}, {.name = NULL}};
	json_t *list = json_array();

	(void)err;
	json_own(c->a, list);
	if (ctl_read(c, options, NULL, 0, 0) != CTL_OK)
		return CTL_USAGE;
	for (size_t i = 0; i < providers_count(c->app.providers); i++) {
		const struct provider *p = provider_at(c->app.providers, i);

		if (!as_json)
			printf("%-20s %s\n", provider_name(p), provider_display_name(p));
		json_array_append_new(list, provider_json(p));
	}
	if (as_json)
		puts(json_text(c->a, list).p);
	return CTL_OK;
}
