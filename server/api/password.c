#include "api/password.h"

#include <stddef.h>
#include <stdio.h>

#include "base/clock.h"

static struct password_work *work_of(struct offload_job *job)
{
    return (struct password_work *)(void *)((char *)job - offsetof(struct password_work, job));
}

static bool is_late(struct password_work *work)
{
    work->late = clock_monotonic() >= work->until;
    return work->late;
}

static void run_hash(struct offload_job *job)
{
    struct password_work *work = work_of(job);
    work->good = !is_late(work) && crypto_password_hash(work->password, work->encoded);
}

static void run_verify(struct offload_job *job)
{
    struct password_work *work = work_of(job);
    work->good = !is_late(work) && crypto_password_verify(work->password, work->encoded);
}

static void done(struct offload_job *job)
{
    call_resume(work_of(job)->call);
}

static enum flow_verdict submit(struct call *call, struct password_work *work,
                                void (*run)(struct offload_job *job))
{
    work->call = call;
    work->until = call->request->deadline;
    work->job.work = run;
    work->job.done = done;
    if (offload_submit(call->service->offload, &work->job))
        return FLOW_WAIT;
    return call_refuse(call, PROBLEM_OVERLOADED, NULL);
}

enum flow_verdict password_hash(struct call *call, struct password_work *work)
{
    return submit(call, work, run_hash);
}

enum flow_verdict password_verify(struct call *call, struct password_work *work)
{
    return submit(call, work, run_verify);
}

void password_dummy(char encoded[CRYPTO_PASSWORD_HASH_MAX])
{
    /* argon2id with the cost of ours, over a salt and a hash that no password is known for */
    snprintf(encoded, CRYPTO_PASSWORD_HASH_MAX, "%s",
             "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}
