/* moolah rules test: the tests that stand beside the rules, and what they never reached. */
#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/json.h"
#include "base/zone.h"
#include "cli/cli.h"
#include "cli/rules.h"
#include "scripting/bundle.h"
#include "scripting/rule_coverage.h"
#include "scripting/rule_test.h"

static unsigned percent(size_t reached, size_t count)
{
    return count == 0 ? 100 : (unsigned)(reached * 100 / count);
}

static size_t count_reached(const struct rule_coverage *coverage)
{
    size_t reached = 0;
    for (size_t i = 0; i < coverage->count; i++)
        reached += coverage->parts[i].hits > 0;
    return reached;
}

static void write_part(struct json_writer *json, const struct rule_part *part)
{
    json_write_object(json);
    json_write_key(json, "file");
    json_write_text(json, part->file);
    json_write_key(json, "rule");
    json_write_text(json, part->rule);
    json_write_key(json, "part");
    json_write_text(json, part->name);
    json_write_key(json, "reached");
    json_write_bool(json, part->hits > 0);
    json_write_object_end(json);
}

static void print_json(const struct rule_test_result *result, const struct rule_coverage *coverage)
{
    struct json_writer *json = cli_json_begin();
    json_write_object(json);
    json_write_key(json, "good");
    json_write_bool(json, result->good);
    json_write_key(json, "files");
    json_write_int(json, (int64_t)result->files);
    json_write_key(json, "passed");
    json_write_int(json, (int64_t)result->passed);
    json_write_key(json, "failed");
    json_write_int(json, (int64_t)result->failed);
    json_write_key(json, "coverage_percent");
    json_write_int(json, percent(count_reached(coverage), coverage->count));
    json_write_key(json, "parts");
    json_write_array(json);
    for (size_t i = 0; i < coverage->count; i++)
        write_part(json, &coverage->parts[i]);
    json_write_array_end(json);
    cli_rules_write_findings(json, &result->report);
    json_write_object_end(json);
    cli_json_end();
}

static void print_coverage(const struct rule_coverage *coverage)
{
    for (size_t from = 0; from < coverage->count;) {
        size_t reached;
        size_t count = rule_coverage_file(coverage, from, &reached);
        printf("  %-32s %3u %%  %zu of %zu", coverage->parts[from].file, percent(reached, count),
               reached, count);
        const char *before = "; never reached: ";
        for (size_t i = from; i < from + count; i++) {
            if (coverage->parts[i].hits > 0)
                continue;
            printf("%s%s", before, coverage->parts[i].name);
            before = ", ";
        }
        putchar('\n');
        from += count;
    }
}

static void print(const struct cli *cli, const struct rule_test_result *result,
                  const struct rule_coverage *coverage)
{
    struct bytes text;
    bytes_init(&text, NULL);
    bundle_report_write(&result->report, &text);
    fwrite(text.at, 1, text.length, stdout);
    bytes_release(&text);
    if (cli->coverage)
        print_coverage(coverage);
    size_t count = result->passed + result->failed;
    printf("%zu test%s in %zu file%s: %zu passed, %zu failed; they reach %u %% of the rules\n",
           count, count == 1 ? "" : "s", result->files, result->files == 1 ? "" : "s",
           result->passed, result->failed, percent(count_reached(coverage), coverage->count));
}

int cli_rules_test(const struct cli *cli)
{
    struct arena arena;
    struct rule_coverage coverage;
    struct rule_test_result result;
    const char *missing = zone_open();
    if (missing != NULL)
        return cli_fail(1, "the system's tz database has no %s: is tzdata installed?", missing);
    struct bundle *bundle = cli_rules_load(cli);
    if (bundle == NULL)
        return 1;
    arena_init(&arena);
    if (!rule_coverage_init(&coverage, bundle, &arena)) {
        bundle_release(bundle);
        return cli_fail(1, "out of memory");
    }
    rule_test_run(cli_rules_directory(cli), bundle, &coverage, &result);
    if (cli->json)
        print_json(&result, &coverage);
    else
        print(cli, &result, &coverage);
    arena_release(&arena);
    bundle_release(bundle);
    if (result.files == 0 && !cli->json)
        return cli_fail(1, "%s holds no test: transfer.fee.lua is tested by transfer.fee_test.lua",
                        cli_rules_directory(cli));
    return result.good && result.files > 0 ? 0 : 1;
}
