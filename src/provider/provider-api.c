/* /connect/v1/providers: the catalogue. */
#include "provider/manifest.h"

const struct provider *provider_of_route(struct req *r)
{
	const struct provider *p = provider_find(r->app->providers, req_param(r, "type"));

	if (p == NULL)
		res_problem(r, 404, "There is no such provider");
	return p;
}

int provider_api_list(struct req *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < providers_count(r->app->providers); i++)
		json_array_append_new(list, provider_json(provider_at(r->app->providers, i)));
	return res_json(r, 200, list);
}

/* ---- one provider ------------------------------------------------------------------------- */

static json_t *credentials_json(const struct credential_spec *specs, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_set_str(o, "key", specs[i].key);
		json_set_str(o, "label", specs[i].label);
		json_set_str(o, "help", specs[i].help);
		json_set_bool(o, "needed", specs[i].is_needed);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *texts_json(const char *const *v, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(v[i]));
	return list;
}

static json_t *settings_json(const struct setting_spec *specs, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_object();

		json_set_str(o, "key", specs[i].key);
		json_set_str(o, "label", specs[i].label);
		json_set_str(o, "help", specs[i].help);
		json_set_str(o, "type", setting_type_name(specs[i].type));
		json_set_bool(o, "needed", specs[i].is_needed);
		json_set(o, "choices", texts_json(specs[i].choices, specs[i].nchoices));
		if (specs[i].type == SETTING_OBJECT)
			json_set(o, "members", settings_json(specs[i].members, specs[i].nmembers));
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *input_json(const struct input_spec *in)
{
	json_t *o = json_object();

	json_set_str(o, "name", in->name);
	json_set_str(o, "label", in->label);
	json_set_str(o, "help", in->help);
	json_set_str(o, "type", input_type_name(in->type));
	json_set_bool(o, "needed", in->is_needed);
	if (in->nchoices > 0)
		json_set(o, "choices", texts_json(in->choices, in->nchoices));
	if (in->list != NULL)
		json_set_str(o, "list", in->list);
	if (in->other != NULL)
		json_set(o, "default", json_deep_copy(in->other));
	return o;
}

json_t *provider_actions_json(const struct provider *p)
{
	json_t *list = json_array();

	for (size_t i = 0; i < p->nactions; i++) {
		const struct action *act = &p->actions[i];
		json_t *o, *inputs;

		if (act->is_hidden)
			continue;
		o = json_object();
		inputs = json_array();
		json_set_str(o, "name", act->name);
		json_set_str(o, "label", act->label);
		json_set_str(o, "help", act->help);
		for (size_t k = 0; k < act->ninputs; k++)
			json_array_append_new(inputs, input_json(&act->inputs[k]));
		json_set(o, "inputs", inputs);
		json_array_append_new(list, o);
	}
	return list;
}

int provider_api_get(struct req *r)
{
	const struct provider *p = provider_of_route(r);

	if (p == NULL)
		return 0;
	json_t *o = provider_json(p);
	json_set_str(o, "help", p->help);
	json_set(o, "credentials", credentials_json(p->credentials, p->ncredentials));
	json_set(o, "appCredentials", credentials_json(p->app_credentials, p->napp_credentials));
	json_set(o, "settings", settings_json(p->settings, p->nsettings));
	json_set(o, "actions", provider_actions_json(p));
	return res_json(r, 200, o);
}
