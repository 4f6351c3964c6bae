#include "benchmarks/journal.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"

void journal_release(struct journal *journal)
{
    memory_free(journal->entries);
    memset(journal, 0, sizeof *journal);
}

static bool make_room(struct journal *journal, size_t wanted)
{
    size_t room = journal->room == 0 ? 65536 : journal->room;
    while (room < wanted)
        room *= 2;
    if (room == journal->room)
        return true;
    struct journal_entry *grown =
        memory_resize(journal->entries, room * sizeof journal->entries[0]);
    if (grown == NULL)
        return false;
    memset(grown + journal->room, 0, (room - journal->room) * sizeof grown[0]);
    journal->entries = grown;
    journal->room = room;
    return true;
}

bool journal_sent(struct journal *journal, uint64_t serial)
{
    if (serial >= journal->room && !make_room(journal, (size_t)serial + 1))
        return false;
    if (serial >= journal->count)
        journal->count = (size_t)serial + 1;
    journal->entries[serial].sent++;
    return true;
}

/* 401, 403, 429 and 5xx are not remembered under a key, and neither is a malformed request. */
bool journal_is_final(int status)
{
    return status == 201 || status == 404 || status == 422;
}

void journal_answered(struct journal *journal, uint64_t serial, int status, uint64_t hash)
{
    assert(serial < journal->count && journal->entries[serial].sent > 0);
    struct journal_entry *entry = &journal->entries[serial];
    if (!journal_is_final(status))
        return;
    if (entry->status == 0) {
        entry->status = (uint16_t)status;
        entry->hash = hash;
    } else if (entry->status != status || entry->hash != hash) {
        journal->contradictions++;
    } else {
        journal->confirmations++;
    }
}
