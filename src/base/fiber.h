/* Cooperative fibers (ucontext): let a job be written as straight code while its HTTP calls wait
 * together in one loop. Only the runner of connect-cron makes fibers; the same code called outside
 * one simply blocks. A fiber never yields within a database transaction. */
#ifndef BASE_FIBER_H
#define BASE_FIBER_H

struct fiber;

/* A fiber that will run main(arg) at its first resume; LIMIT_FIBER_STACK with a guard page. */
struct fiber *fiber_new(void (*main)(void *arg), void *arg);
/* Runs f until it yields or ends; called from outside any fiber. Returns 1 while f lives, 0 when it
 * ended (free it then). */
int fiber_resume(struct fiber *f);
void fiber_yield(void);            /* from within a fiber */
struct fiber *fiber_current(void); /* NULL outside one */
void fiber_free(struct fiber *f);  /* ended or never started; stacks are reused */

#endif
