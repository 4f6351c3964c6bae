/* Talking to a running Moolah as its clients do: questions, their answers' members, what a problem
 * must look like. One stack and one client per test program; every exchange is written to the file
 * that MOOLAH_EXCHANGES names, to be held against openapi.yaml. */
#ifndef SUPPORT_TALK_H
#define SUPPORT_TALK_H

#include <stdint.h>

#include "support/client.h"
#include "support/stack.h"

struct talk {
    struct stack *stack;
    struct client *client;        /* of the public listener */
    struct client *operators;     /* of the operators' */
    struct client_call call;      /* the last question and its answer */
    char tokens[STACK_USERS][96]; /* the demo users' */
};

extern struct talk talk;

/* For cmocka_run_group_tests: a stack with its demo users signed in, and its end. */
int talk_start(void **state);
int talk_start_with(const char *rules, void **state); /* with that folder of rules */
int talk_end(void **state);

/* Ask and get the status; the answer is in talk.call. */
int talk_ask(const char *method, const char *path, const char *token, const char *key,
             const char *body);

/* The same with whatever `question` says beside. talk_extra adds a header to it. */
int talk_send(const struct client_call *question);
void talk_extra(struct client_call *question, const char *name, const char *value);
int talk_operator(const char *path, const char *authorization); /* GET on their listener */

/* Write down an exchange that was had otherwise. `public`: on the public listener. */
void talk_note(const struct client_call *call, bool public);

/* A member of the last answer, as text; nested by dots, the first element of arrays. "(absent)",
 * "(null)", "(an object)", ... when it's no text or integer. Holds until four further calls. */
const char *talk_member(const char *path);
int64_t talk_number(const char *path);
const char *talk_header(const char *name); /* NULL: absent */

/* The answer is this problem, in every respect that all problems have in common. */
void talk_expect(int status, int expected_status, const char *code);

const char *talk_key(void); /* a new Idempotency-Key */
void talk_sign_in(int user);
/* The token of a new user with that phone. */
void talk_sign_up(const char *phone, char token[96]);
int64_t talk_balance(int user);
/* A transfer between two demo users; `more`: further members with a comma before them. */
const char *talk_transfer(int from, int to, const char *amount, const char *more);

/* Does the server's log have such a line (extended regular expression)? Waits up to 5 s for it. */
bool talk_logged(const char *pattern);

/* As the owner of the schema. */
void talk_sql(const char *statement);

#endif
