#include "support/told.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "support/stack.h"

static void must(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "told: %s\n", what);
    abort();
}

void told_init(struct told *told, const struct receiver *receiver)
{
    told->receiver = receiver;
    snprintf(told->path, sizeof told->path, "%s/journal", receiver->folder);
    told->journal = fopen(told->path, "w");
    must(told->journal != NULL, "no journal");
}

void told_release(struct told *told)
{
    fclose(told->journal);
}

void told_note(struct told *told, const char *key, const char *answer)
{
    must(strncmp(answer, "{\"id\":\"tx_", 10) == 0, answer);
    fprintf(told->journal, "%s\t%.*s\n", key, (int)strcspn(answer + 7, "\""), answer + 7);
}

void told_await(struct told *told, const struct stack *stack, const char *database)
{
    int64_t deadline = clock_monotonic() + 60 * CLOCK_SECOND;
    char command[900];
    fflush(told->journal);
    snprintf(command, sizeof command,
             "told=$(psql -X \"%s\" -v heard=%s -v journal=%s -f " MOOLAH_SOURCE_DIR
             "/tests/support/told.sql); case $told in '0|0|0') exit 0;; *'|0|0') psql -qX \"%s\" "
             "-c 'update webhook_deliveries set due = now() where due > now()'; exit 1;; esac; "
             "echo \"  $told: never told, nobody's, out of order\"; exit 2",
             database, told->receiver->requests, told->path, database);
    for (int code; (code = stack_shell(stack, command)) != 0;) {
        must(code == 1, "what the receiver heard isn't what was done");
        must(clock_monotonic() < deadline, "not all is told");
        usleep(200000);
    }
}
