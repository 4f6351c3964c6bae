/* A whole Moolah for a test: ci/up on a folder of its own, with its PostgreSQL, Redis, demo users
 * and partner; and ways to kill its parts. */
#ifndef SUPPORT_STACK_H
#define SUPPORT_STACK_H

#include <stdbool.h>
#include <sys/types.h>

#define STACK_USERS 4
#define STACK_PORTS \
    40 /* from `port` on these are the test's: two for ci/up, the others for more servers */

struct stack_user {
    char phone[24];
    char password[40];
    char wallet[40];
};

struct stack {
    char data[128]; /* ci/up's --data */
    int port;
    pid_t up; /* ci/up */
    char ca[160];
    char partner_key[96];
    char operator_token[80];
    char database[256]; /* conninfo of the schema's owner */
    char redis[160];
    struct stack_user users[STACK_USERS];
};

/* Start on a new temporary folder and free ports; asserts that it gets ready within 2 minutes.
 * `rules`: NULL or a folder. */
struct stack *stack_start(const char *rules);
/* The same folder again, after stack_halt. */
void stack_restart(struct stack *stack);
/* Ctrl-C, and wait until it has ended: its exit code. */
int stack_halt(struct stack *stack);
/* stack_halt, and the folder is removed. */
void stack_stop(struct stack *stack);

enum stack_part { STACK_WORKER, STACK_MASTER, STACK_POSTGRES, STACK_REDIS };

/* The process of a part; the `nth` worker (from 0). 0: there is none right now. */
pid_t stack_pid(const struct stack *stack, enum stack_part part, int nth);

/* Run a shell command with MOOLAH, DATABASE, REDIS, DATA, CA, URL set; its exit code. Output goes
 * to ours. */
int stack_shell(const struct stack *stack, const char *command);

#endif
