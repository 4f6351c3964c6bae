#include "rule_keeper.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "posting/posting.h"
#include "scripting/bundle.h"
#include "scripting/shelf.h"
#include "scripting/watch.h"
#include "store/pg_pool.h"
#include "store/upkeep.h"

#define NOTE_AGAIN_POLLS 25

struct rule_keeper {
    struct rule_keeper_settings settings;
    struct watch watch;
    struct bundle *bundle; /* what serves */
    uint64_t number;       /* the shelf's when it was last looked at */
    bool loaded;           /* the folder, at least once */
    bool accepted;         /* the last load */
    bool unnoted;          /* the database has not heard of it */
    bool note_failed;
    int note_wait; /* polls until it's tried again */
    struct bundle_report report;
};

static struct shelf *shelf; /* shared by all workers of the server */

static struct {
    metric accepted;
    metric refused;
} metrics;

void rule_keeper_register_metrics(void)
{
    metrics.accepted = metrics_register(METRIC_COUNTER, "moolah_rule_loads_total",
                                        "result=\"accepted\"", "Changes of the rules folder");
    metrics.refused = metrics_register(METRIC_COUNTER, "moolah_rule_loads_total",
                                       "result=\"refused\"", "Changes of the rules folder");
}

static void log_load(const struct rule_keeper *keeper, const char *event)
{
    struct bytes text;
    bytes_init(&text, NULL);
    bundle_report_write(&keeper->report, &text);
    if (keeper->report.count == 0)
        bytes_add_hex(&text, bundle_hash(keeper->bundle), 32);
    bytes_add_char(&text, '\0');
    log_message(keeper->report.count == 0 ? LOG_INFO : LOG_ERROR, event, "%s",
                text.failed ? "" : text.at);
    bytes_release(&text);
}

/* Takes the reference. */
static void serve(struct rule_keeper *keeper, struct bundle *fresh)
{
    bundle_release(keeper->bundle);
    keeper->bundle = fresh;
    posting_set_bundle(keeper->settings.posting, fresh);
}

/* What another worker found good, or what was good when this one was started. */
static void adopt(struct rule_keeper *keeper)
{
    struct bundle_report report;
    uint64_t number;
    struct bundle *fresh = shelf_take(shelf, &number, &report);
    if (fresh == NULL)
        return; /* nothing there, or no memory: at the next poll */
    keeper->number = number;
    keeper->unnoted = keeper->loaded;
    serve(keeper, fresh);
    log_message(LOG_INFO, "rules_adopted", "number %llu", (unsigned long long)number);
}

static void load(struct rule_keeper *keeper)
{
    struct bundle_report report;
    struct bundle *fresh = bundle_load(keeper->settings.directory, &report);
    if (!watch_is_settled(&keeper->watch, keeper->settings.directory)) {
        bundle_release(fresh); /* somebody is writing: the next polls see to it */
        return;
    }
    keeper->report = report;
    keeper->loaded = true;
    keeper->accepted = fresh != NULL;
    keeper->unnoted = true;
    metrics_add(keeper->accepted ? metrics.accepted : metrics.refused, 1);
    if (keeper->accepted) {
        keeper->number = shelf_put(shelf, fresh);
        serve(keeper, fresh);
    }
    log_load(keeper, keeper->accepted ? "rules_loaded" : "rules_refused");
}

bool rule_keeper_start(const char *directory)
{
    struct bundle_report report;
    shelf = shelf_new();
    if (shelf == NULL)
        return false;
    struct bundle *bundle = bundle_load(directory, &report);
    if (bundle != NULL)
        shelf_put(shelf, bundle);
    bundle_release(bundle);
    return true;
}

struct rule_keeper *rule_keeper_new(const struct rule_keeper_settings *settings)
{
    struct rule_keeper *keeper = memory_alloc(sizeof *keeper);
    if (keeper == NULL)
        return NULL;
    keeper->settings = *settings;
    adopt(keeper);
    return keeper;
}

void rule_keeper_free(struct rule_keeper *keeper)
{
    if (keeper == NULL)
        return;
    bundle_release(keeper->bundle);
    memory_free(keeper);
}

void rule_keeper_reload(struct rule_keeper *keeper, const char *directory)
{
    keeper->settings.directory = directory;
    keeper->watch = (struct watch){0};
    watch_poll(&keeper->watch, directory);
    if (watch_poll(&keeper->watch,
                   directory)) /* unless somebody is writing: then the polls do it */
        load(keeper);
}

static void note(struct rule_keeper *keeper)
{
    struct arena arena;
    struct bytes files;
    struct bytes findings;
    arena_init(&arena);
    bytes_init(&files, &arena);
    bytes_init(&findings, &arena);
    if (keeper->bundle != NULL)
        bundle_write_files(keeper->bundle, &files);
    bundle_report_write(&keeper->report, &findings);
    const struct upkeep_rule_load load = {
        .server = keeper->settings.server,
        .slot = keeper->settings.slot,
        .accepted = keeper->accepted,
        .hash = keeper->bundle == NULL ? NULL : bundle_hash(keeper->bundle),
        .files = files.length == 0 ? SLICE("{}") : bytes_view(&files),
        .findings = findings.length == 0 ? SLICE("") : bytes_view(&findings),
        .failed = &keeper->note_failed,
    };
    if (!files.failed && !findings.failed && upkeep_note_rules(keeper->settings.pool, &load))
        keeper->unnoted = false;
    arena_release(&arena);
}

void rule_keeper_poll(struct rule_keeper *keeper)
{
    if (shelf_number(shelf) != keeper->number)
        adopt(keeper);
    if (watch_poll(&keeper->watch, keeper->settings.directory))
        load(keeper);
    if (keeper->note_failed) {
        keeper->note_failed = false;
        keeper->unnoted = true;
        keeper->note_wait = NOTE_AGAIN_POLLS;
    }
    if (keeper->note_wait > 0)
        keeper->note_wait--;
    else if (keeper->unnoted && pg_pool_is_ready(keeper->settings.pool))
        note(keeper);
}
