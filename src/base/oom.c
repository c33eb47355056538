#include "base/oom.h"

#include <stdlib.h>
#include <unistd.h>

void oom_abort(void)
{
	static const char text[] = "out of memory\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)written;
	abort();
}

void *oom_malloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		oom_abort();
	return p;
}

void *oom_realloc(void *p, size_t size)
{
	void *q = realloc(p, size ? size : 1);

	if (!q)
		oom_abort();
	return q;
}
