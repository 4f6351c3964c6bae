/* The plan as JSON. */
#include <math.h>

#include "base/bytes.h"
#include "base/json.h"
#include "benchmarks/numbers.h"
#include "benchmarks/plan.h"

static const char *const calls[PLAN_CALLS] = {"transfers", "balances", "statements"};
static const char *const processes[PLAN_PROCESSES] = {"moolahd", "postgres", "redis"};

static void add_number(struct json_writer *writer, const char *key, double number)
{
    char text[NUMBERS_TEXT_MAX];
    json_write_key(writer, key);
    json_write_raw(writer, slice_of(numbers_json(text, number)));
}

static void add_text(struct json_writer *writer, const char *key, const char *text)
{
    json_write_key(writer, key);
    json_write_text(writer, text);
}

static void json_tiers(const struct plan_phase *phase, struct json_writer *writer)
{
    json_write_key(writer, "machines");
    json_write_array(writer);
    for (int k = 0; k < (phase->together ? 1 : PLAN_PROCESSES); k++) {
        const struct plan_tier *tier = &phase->tiers[k];
        json_write_object(writer);
        add_text(writer, "for", phase->together ? "all" : processes[k]);
        add_number(writer, "count", tier->machine == NULL ? NAN : tier->count);
        if (tier->machine != NULL)
            add_text(writer, "machine", tier->machine->name);
        json_write_object_end(writer);
    }
    json_write_array_end(writer);
}

static void json_cores(const struct plan_phase *phase, struct json_writer *writer)
{
    json_write_key(writer, "cores");
    json_write_object(writer);
    for (int k = 0; k < PLAN_PROCESSES; k++)
        add_number(writer, processes[k], phase->cores[k]);
    json_write_object_end(writer);
    json_write_key(writer, "measured_in");
    json_write_object(writer);
    for (int i = 0; i < PLAN_CALLS; i++)
        add_text(writer, calls[i], phase->runs[i]->name);
    json_write_object_end(writer);
}

static void json_phase(const struct plan *plan, const struct plan_phase *phase,
                       struct json_writer *writer)
{
    json_write_object(writer);
    add_number(writer, "users", phase->users);
    add_number(writer, "wallets", phase->demand.wallets);
    add_number(writer, "monthly", phase->demand.monthly);
    add_number(writer, "peak", phase->demand.peak);
    json_cores(phase, writer);
    json_write_key(writer, "together");
    json_write_bool(writer, phase->together);
    json_tiers(phase, writer);
    add_number(writer, "replicas", plan_replicas(phase));
    add_number(writer, "database_gb", phase->size_gb);
    add_number(writer, "growth_gb", phase->growth_gb);
    add_number(writer, "disk_gb", phase->disk_gb);
    add_number(writer, "memory_gb", phase->memory_gb);
    add_number(writer, "redis_gb", phase->redis_gb);
    add_number(writer, "wal_gb", phase->wal_gb);
    add_number(writer, "wal_mbit", phase->wal_mbit);
    add_number(writer, "archive_gb", phase->archive_gb);
    add_number(writer, "backup_gb", phase->backup_gb);
    add_number(writer, "available", phase->available);
    json_write_key(writer, "available_enough");
    json_write_bool(writer, phase->available >= plan->prices.target);
    add_number(writer, "machine_price", phase->machine_price);
    add_number(writer, "storage_price", phase->storage_price);
    json_write_object_end(writer);
}

void plan_json(const struct plan *plan, struct bytes *out)
{
    struct json_writer writer;
    json_write_init(&writer, out);
    json_write_object(&writer);
    add_text(&writer, "at", plan->result->at);
    add_text(&writer, "commit", plan->result->commit);
    add_text(&writer, "currency", plan->prices.currency);
    add_number(&writer, "row_bytes", plan->row_bytes);
    add_number(&writer, "wal_bytes", plan->wal_bytes);
    add_number(&writer, "sign_in_ms", plan->sign_in_ms);
    json_write_key(&writer, "rough");
    json_write_array(&writer);
    for (size_t i = 0; i < plan->rough_count; i++)
        json_write_text(&writer, plan->rough[i]);
    json_write_array_end(&writer);
    json_write_key(&writer, "phases");
    json_write_array(&writer);
    for (int i = 0; i < PLAN_PHASES; i++)
        json_phase(plan, &plan->phases[i], &writer);
    json_write_array_end(&writer);
    json_write_object_end(&writer);
    bytes_add_char(out, '\n');
}
