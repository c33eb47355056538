/* What is wrong at the moment: what Home begins with, and the badges of the navigation. */
#ifndef PRODUCT_ATTENTION_H
#define PRODUCT_ATTENTION_H

#include "html/chrome.h"

/* [{text,href,action}], the worst first; what the actor may not see is left out. Arena-owned. */
int attention_list(struct req *r, json_t **out, struct err *err);
/* The hook of the navigation: see html/chrome.h. */
size_t attention_badges(struct req *r, struct chrome_badge *out, size_t max);

#endif
