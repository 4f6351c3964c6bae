#include "benchmarks/raw_job.h"

#include <stdio.h>

#include "base/memory.h"
#include "benchmarks/population.h"

bool raw_job_people(struct raw_job *job, const struct population *population, size_t most)
{
    struct population_member member;
    size_t count = population_count(population);
    job->count = most >= 2 && most < count ? most : count;
    job->people = memory_alloc(job->count * sizeof job->people[0]);
    for (size_t i = 0; job->people != NULL && i < job->count; i++) {
        population_member(population, i, &member);
        struct raw_job_person *person = &job->people[i];
        person->user = member.user;
        person->wallet = member.wallet_uuid;
        snprintf(person->authorization, sizeof person->authorization, "Bearer %s", member.token);
    }
    return job->people != NULL;
}

void raw_job_release(struct raw_job *job)
{
    memory_free(job->people);
    job->people = NULL;
}

/* splitmix64 */
static uint64_t roll(uint64_t *dice)
{
    uint64_t z = *dice += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void raw_job_next(struct raw_job *job, struct raw_job_transfer *out)
{
    size_t from = roll(&job->dice) % job->count;
    size_t to = (from + 1 + roll(&job->dice) % (job->count - 1)) % job->count;
    out->from = &job->people[from];
    out->to = &job->people[to];
    out->amount = 1 + (int64_t)(roll(&job->dice) % 500);
    out->serial = job->serial++;
}

size_t raw_job_key(const struct raw_job *job, uint64_t serial, char key[RAW_JOB_KEY_MAX])
{
    return (size_t)snprintf(key, RAW_JOB_KEY_MAX, "r-%llx-%012llu", (unsigned long long)job->run,
                            (unsigned long long)serial);
}
