/* The steps of a rule: see crm-mapping.h for what they are. */
#ifndef CRM_CRM_MAPPING_TRANSFORM_H
#define CRM_CRM_MAPPING_TRANSFORM_H
#include "base/arena.h"
#include "base/buf.h"
#include "crm/crm-mapping.h"

/* "email", or "a || b || 'none'": one placeholder's inside, compiled. */
int mapping_compile_place(struct loader *l, struct str place, struct expr **out);
/* A rule's "transform", where l's reader stands. 0, or -1 with the complaint made. */
int mapping_compile_steps(struct loader *l, const json_t *rule, struct mapping_rule *out);
/* Replaces *v, which may be absent. */
void mapping_step_apply(const struct mapping_step *t, struct scope *s, struct expr_value *v);
#endif
