#include "rule_keeper.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "posting/posting.h"
#include "scripting/bundle.h"
#include "scripting/watch.h"
#include "store/pg_pool.h"
#include "store/upkeep.h"

struct rule_keeper {
    struct rule_keeper_settings settings;
    struct watch watch;
    struct bundle *bundle; /* what serves */
    bool accepted;         /* the last load */
    bool unnoted;          /* the database has not heard of it */
    struct bundle_report report;
};

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

struct rule_keeper *rule_keeper_new(const struct rule_keeper_settings *settings)
{
    struct rule_keeper *keeper = memory_alloc(sizeof *keeper);
    if (keeper == NULL)
        return NULL;
    keeper->settings = *settings;
    watch_poll(&keeper->watch, settings->directory);
    return keeper;
}

void rule_keeper_free(struct rule_keeper *keeper)
{
    if (keeper == NULL)
        return;
    bundle_release(keeper->bundle);
    memory_free(keeper);
}

static void log_load(const struct rule_keeper *keeper)
{
    struct bytes text;
    bytes_init(&text, NULL);
    bundle_report_write(&keeper->report, &text);
    if (keeper->accepted)
        bytes_add_hex(&text, bundle_hash(keeper->bundle), 32);
    bytes_add_char(&text, '\0');
    log_message(keeper->accepted ? LOG_INFO : LOG_ERROR,
                keeper->accepted ? "rules_loaded" : "rules_refused", "%s",
                text.failed ? "" : text.at);
    bytes_release(&text);
}

bool rule_keeper_load(struct rule_keeper *keeper)
{
    struct bundle *fresh = bundle_load(keeper->settings.directory, &keeper->report);
    keeper->accepted = fresh != NULL;
    keeper->unnoted = true;
    metrics_add(keeper->accepted ? metrics.accepted : metrics.refused, 1);
    if (keeper->accepted) {
        bundle_release(keeper->bundle);
        keeper->bundle = fresh;
        posting_set_bundle(keeper->settings.posting, fresh);
    }
    log_load(keeper);
    return keeper->accepted;
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
    };
    if (!files.failed && !findings.failed && upkeep_note_rules(keeper->settings.pool, &load))
        keeper->unnoted = false;
    arena_release(&arena);
}

void rule_keeper_poll(struct rule_keeper *keeper)
{
    if (watch_poll(&keeper->watch, keeper->settings.directory))
        rule_keeper_load(keeper);
    if (keeper->unnoted && pg_pool_is_ready(keeper->settings.pool))
        note(keeper);
}
