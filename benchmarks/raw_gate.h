/* Level gate: the server's own gate in this process, asking the stack's Redis, and PostgreSQL for
 * tokens that Redis does not know. */
#ifndef BENCHMARKS_RAW_GATE_H
#define BENCHMARKS_RAW_GATE_H

#include <stdbool.h>

struct ev_loop;
struct gate_question;
struct raw_gate;
struct raw_job;
struct raw_job_person;

/* NULL: out of memory. */
struct raw_gate *raw_gate_new(struct ev_loop *loop, const struct raw_job *job);
void raw_gate_free(struct raw_gate *gate); /* only when no question is on its way */

bool raw_gate_is_ready(const struct raw_gate *gate); /* Redis and PostgreSQL both answer */

/* What a request of this person's asks; question->done is called later. False: not now. */
bool raw_gate_ask(struct raw_gate *gate, struct gate_question *question,
                  const struct raw_job_person *person);

/* Was the answer a yes, and Redis' own? Else job->error says what it was. */
bool raw_gate_let_in(const struct raw_gate *gate, const struct gate_question *question,
                     struct raw_job *job);

#endif
