/* What prefork.c and listen.c share. */
#ifndef PROCESS_PROCESS_INTERNAL_H
#define PROCESS_PROCESS_INTERNAL_H

#include "process/process.h"

/* The address that process_listen was given last, for the next image. */
const char *listen_where(void);
#define LISTEN_FD_ENV "CONNECT_LISTEN_FD" /* "fd:address" */

#endif
