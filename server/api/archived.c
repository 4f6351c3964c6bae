#include "api/archived.h"

#include "base/arena.h"
#include "base/bytes.h"

enum flow_verdict archived_refuse(struct call *call, const char *month)
{
    struct problem *problem = &call->problem;
    struct slice kept = arena_copy(&call->request->arena, slice_of(month));
    struct bytes name;
    bytes_init(&name, &call->request->arena);
    bytes_printf(&name, "moolah-%s", month);
    bytes_add_char(&name, '\0');
    if (kept.at == NULL || name.failed)
        return call_refuse(call, PROBLEM_OVERLOADED, NULL);
    problem->extras[problem->extra_count++] = (struct problem_extra){"month", kept.at, 0};
    problem->extras[problem->extra_count++] = (struct problem_extra){"archive", name.at, 0};
    return call_refuse(call, PROBLEM_ARCHIVED, NULL);
}
