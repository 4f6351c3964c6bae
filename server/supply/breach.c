#include "supply/breach.h"

#include <stdio.h>

static void add_extra(struct problem *problem, const char *name, int64_t number)
{
    problem->extras[problem->extra_count++] = (struct problem_extra){name, NULL, number};
}

void breach_add(struct problem *problem, const struct limit_breach *breach, bool owner,
                struct breach_text *text)
{
    const struct limit_cap *cap = breach->cap;
    snprintf(text->which, sizeof text->which, "%s%s", cap->code, breach->by_count ? "_count" : "");
    problem->extras[problem->extra_count++] = (struct problem_extra){"which", text->which, 0};
    add_extra(problem, "limit", breach->limit);
    if (cap->period == LIMIT_BALANCE || !owner)
        return;
    add_extra(problem, "used", breach->used);
    add_extra(problem, "remaining",
              breach->used < breach->limit ? breach->limit - breach->used : 0);
    if (breach->resets_at == 0)
        return;
    clock_format(breach->resets_at, text->resets_at);
    problem->extras[problem->extra_count++] =
        (struct problem_extra){"resets_at", text->resets_at, 0};
}
