#include "scripting/bundle.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"
#include "scripting/fee_file.h"
#include "scripting/fee_rule.h"

struct file {
    char name[BUNDLE_NAME_MAX];
    struct slice source;
};

struct bundle {
    int references; /* one thread each */
    uint8_t hash[CRYPTO_HASH_SIZE];
    struct arena arena;
    struct file *files;
    size_t file_count;
    struct fee_rule *rules;
    size_t rule_count;
};

void bundle_report_add(struct bundle_report *report, const char *file, int line, int column,
                       const char *format, ...)
{
    va_list arguments;
    if (report->count == BUNDLE_FINDINGS_MAX)
        return;
    struct bundle_finding *finding = &report->findings[report->count++];
    snprintf(finding->file, sizeof finding->file, "%s", file);
    finding->line = line;
    finding->column = column;
    va_start(arguments, format);
    vsnprintf(finding->message, sizeof finding->message, format, arguments);
    va_end(arguments);
}

void bundle_report_write(const struct bundle_report *report, struct bytes *out)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct bundle_finding *finding = &report->findings[i];
        bytes_add_text(out, finding->file);
        if (finding->line > 0)
            bytes_printf(out, ":%d:%d", finding->line, finding->column);
        bytes_printf(out, ": %s\n", finding->message);
    }
}

static bool ends_with(const char *name, const char *tail)
{
    size_t length = strlen(name);
    size_t tail_length = strlen(tail);
    return length > tail_length && strcmp(name + length - tail_length, tail) == 0;
}

enum interest { FILE_IGNORED, FILE_RULE, FILE_UNKNOWN };

/* A rule file whose kind isn't known must not be passed over in silence: its author believes it
 * counts. */
static enum interest interest_in(const char *name)
{
    if (name[0] == '.' || !ends_with(name, ".lua") || ends_with(name, "_test.lua"))
        return FILE_IGNORED;
    return ends_with(name, ".fee.lua") ? FILE_RULE : FILE_UNKNOWN;
}

static bool read_whole(int fd, size_t size, struct slice *out, struct arena *arena)
{
    char *at = arena_alloc(arena, size + 1);
    size_t length = 0;
    while (at != NULL && length < size) {
        ssize_t got = read(fd, at + length, size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    *out = (struct slice){at, length};
    return at != NULL;
}

static bool read_file(int directory, struct file *file, struct arena *arena,
                      struct bundle_report *report)
{
    struct stat status;
    const char *wrong = NULL;
    int fd = openat(directory, file->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        bundle_report_add(report, file->name, 0, 0, "cannot be read: %s%s", strerror(errno),
                          errno == ELOOP ? " (links are not followed: copy the file)" : "");
        return false;
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        wrong = "is no regular file";
    else if (status.st_size > BUNDLE_FILE_SIZE_MAX)
        wrong = "is over 256 KiB: rule files are small";
    else if (!read_whole(fd, (size_t)status.st_size, &file->source, arena))
        wrong = "out of memory";
    close(fd);
    if (wrong != NULL)
        bundle_report_add(report, file->name, 0, 0, "%s", wrong);
    return wrong == NULL;
}

static int compare_files(const void *a, const void *b)
{
    const struct file *left = a;
    const struct file *right = b;
    return strcmp(left->name, right->name);
}

static void take_entry(struct bundle *bundle, const char *name, struct bundle_report *report)
{
    enum interest interest = interest_in(name);
    if (interest == FILE_IGNORED)
        return;
    if (interest == FILE_UNKNOWN)
        bundle_report_add(report, name, 0, 0, "unknown kind of rule file: known is *.fee.lua");
    else if (bundle->file_count == BUNDLE_FILES_MAX)
        bundle_report_add(report, name, 0, 0, "more than %d rule files", BUNDLE_FILES_MAX);
    else if (strlen(name) >= BUNDLE_NAME_MAX)
        bundle_report_add(report, name, 0, 0, "the name is over %d characters",
                          BUNDLE_NAME_MAX - 1);
    else
        snprintf(bundle->files[bundle->file_count++].name, BUNDLE_NAME_MAX, "%s", name);
}

static void read_directory(struct bundle *bundle, const char *directory,
                           struct bundle_report *report)
{
    DIR *listing = opendir(directory);
    if (listing == NULL) {
        bundle_report_add(report, directory, 0, 0, "cannot be read: %s", strerror(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        take_entry(bundle, entry->d_name, report);
    qsort(bundle->files, bundle->file_count, sizeof bundle->files[0], compare_files);
    for (size_t i = 0; i < bundle->file_count; i++)
        read_file(dirfd(listing), &bundle->files[i], &bundle->arena, report);
    closedir(listing);
    if (bundle->file_count == 0)
        bundle_report_add(report, directory, 0, 0, "holds no rule file (*.fee.lua)");
}

/* SHA-256 over names and contents, each behind its length, in order of names. */
static bool compute_hash(struct bundle *bundle)
{
    struct bytes all;
    bytes_init(&all, &bundle->arena);
    for (size_t i = 0; i < bundle->file_count; i++) {
        const struct file *file = &bundle->files[i];
        bytes_add_be64(&all, strlen(file->name));
        bytes_add_text(&all, file->name);
        bytes_add_be64(&all, file->source.length);
        bytes_add_slice(&all, file->source);
    }
    if (all.failed)
        return false;
    crypto_sha256(bytes_view(&all), bundle->hash);
    return true;
}

static size_t id_length(const struct fee_rule *rule)
{
    return (size_t)(strchr(rule->name, '@') - rule->name);
}

static void check_pair(const struct fee_rule *a, const struct fee_rule *b,
                       struct bundle_report *report)
{
    bool same_id = id_length(a) == id_length(b) && memcmp(a->name, b->name, id_length(a)) == 0;
    if (same_id)
        bundle_report_add(report, b->file, 0, 0, "its id is taken by %s", a->file);
    else if (fee_rule_overlaps(a, b))
        bundle_report_add(report, b->file, 0, 0,
                          "applies to the same movements as %s: tell them apart by tiers or own",
                          a->file);
}

static bool compile(struct bundle *bundle, struct bundle_report *report)
{
    bundle->rules = arena_array(&bundle->arena, bundle->file_count, sizeof bundle->rules[0]);
    if (bundle->rules == NULL || !compute_hash(bundle)) {
        bundle_report_add(report, "rules", 0, 0, "out of memory");
        return false;
    }
    for (size_t i = 0; i < bundle->file_count; i++)
        fee_file_compile(bundle->files[i].name, bundle->files[i].source, &bundle->rules[i], report);
    if (report->count > 0)
        return false;
    bundle->rule_count = bundle->file_count;
    for (size_t i = 0; i < bundle->rule_count; i++)
        for (size_t k = 0; k < i; k++)
            check_pair(&bundle->rules[k], &bundle->rules[i], report);
    return report->count == 0;
}

struct bundle *bundle_load(const char *directory, struct bundle_report *report)
{
    struct bundle *bundle = memory_alloc(sizeof *bundle);
    report->count = 0;
    if (bundle == NULL) {
        bundle_report_add(report, directory, 0, 0, "out of memory");
        return NULL;
    }
    bundle->references = 1;
    arena_init(&bundle->arena);
    bundle->files = arena_array(&bundle->arena, BUNDLE_FILES_MAX, sizeof bundle->files[0]);
    if (bundle->files == NULL)
        bundle_report_add(report, directory, 0, 0, "out of memory");
    else
        read_directory(bundle, directory, report);
    if (report->count > 0 || !compile(bundle, report)) {
        bundle_release(bundle);
        return NULL;
    }
    return bundle;
}

void bundle_retain(struct bundle *bundle)
{
    assert(bundle->references > 0);
    bundle->references++;
}

void bundle_release(struct bundle *bundle)
{
    if (bundle == NULL || --bundle->references > 0)
        return;
    arena_release(&bundle->arena);
    memory_free(bundle);
}

const uint8_t *bundle_hash(const struct bundle *bundle)
{
    return bundle->hash;
}

size_t bundle_rule_count(const struct bundle *bundle)
{
    return bundle->rule_count;
}

const struct fee_rule *bundle_fee_rules(const struct bundle *bundle)
{
    return bundle->rules;
}

void bundle_write_files(const struct bundle *bundle, struct bytes *out)
{
    struct json_writer writer;
    json_write_init(&writer, out);
    json_write_object(&writer);
    for (size_t i = 0; i < bundle->file_count; i++) {
        json_write_key(&writer, bundle->files[i].name);
        json_write_string(&writer, bundle->files[i].source);
    }
    json_write_object_end(&writer);
}
