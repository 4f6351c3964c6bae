#include "scripting/bundle.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/memory.h"
#include "scripting/fee.h"
#include "scripting/fee_file.h"
#include "scripting/fee_rule.h"
#include "scripting/limit_file.h"
#include "scripting/product.h"
#include "scripting/sandbox.h"

#define FEES ".fee.lua"
#define LIMITS ".limit.lua"
#define PRODUCTS ".product.lua"

/* Of one file, in the bundle's image. */
struct file {
    struct slice name;
    struct slice source;
};

/* The image is every file in order of names: its name and its content, each behind its length in 8
 * bytes, big-endian. The hash is over the image. */
struct bundle {
    int references; /* one thread each */
    uint8_t hash[CRYPTO_HASH_SIZE];
    struct arena arena;
    struct slice image;
    struct file files[BUNDLE_FILES_MAX];
    size_t file_count;
    struct fee_rule *rules; /* one a *.fee.lua */
    size_t rule_count;
    struct limit_rule *limits; /* one a *.limit.lua */
    size_t limit_count;
    struct tiers *caps; /* by currency */
    size_t caps_count;
    struct product *products; /* one a *.product.lua */
    size_t product_count;
};

/* The caps of a currency, of all its files together. */
struct tiers {
    currency currency;
    struct limit_caps of[LIMIT_RULE_TIERS];
};

/* What a folder holds, on its way to an image. */
struct folder {
    int directory;
    char names[BUNDLE_FILES_MAX][BUNDLE_NAME_MAX];
    size_t count;
    struct bytes image;
    struct bundle_report *report;
};

/* A message may quote what a file says, and be cut in the middle of a character; it goes to a
 * terminal and to PostgreSQL. */
static void make_printable(char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        size_t width = 1;
        while (width < 4 && width < left && !json_write_is_utf8((struct slice){text, width}))
            width++;
        bool control = (unsigned char)text[0] < ' ' || text[0] == 0x7f;
        if (control || !json_write_is_utf8((struct slice){text, width})) {
            text[0] = '?';
            width = 1;
        }
        text += width;
        left -= width;
    }
}

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
    make_printable(finding->message);
}

bool bundle_report_is_full(const struct bundle_report *report)
{
    return report->count == BUNDLE_FINDINGS_MAX;
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
    return length > tail_length && strcasecmp(name + length - tail_length, tail) == 0;
}

enum interest { FILE_IGNORED, FILE_RULE, FILE_UNKNOWN };

/* A rule file whose kind isn't known must not be passed over in silence: its author believes it
 * counts. */
static enum interest interest_in(const char *name)
{
    if (name[0] == '.' || !ends_with(name, ".lua") || ends_with(name, "_test.lua"))
        return FILE_IGNORED;
    return ends_with(name, FEES) || ends_with(name, LIMITS) || ends_with(name, PRODUCTS)
               ? FILE_RULE
               : FILE_UNKNOWN;
}

static void take_entry(struct folder *folder, const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    enum interest interest = interest_in(name);
    if (interest == FILE_IGNORED)
        return;
    if (interest == FILE_UNKNOWN)
        bundle_report_add(folder->report, name, 0, 0,
                          "unknown kind of rule file: known are *.fee.lua, *.limit.lua and "
                          "*.product.lua");
    else if (name[strspn(name, allowed)] != '\0')
        bundle_report_add(folder->report, "rules", 0, 0,
                          "a file name is made of letters, digits, '.', '_' and '-', not '%s'",
                          name);
    else if (strlen(name) >= BUNDLE_NAME_MAX)
        bundle_report_add(folder->report, name, 0, 0, "the name is over %d characters",
                          BUNDLE_NAME_MAX - 1);
    else if (folder->count == BUNDLE_FILES_MAX)
        bundle_report_add(folder->report, name, 0, 0, "more than %d rule files", BUNDLE_FILES_MAX);
    else
        snprintf(folder->names[folder->count++], BUNDLE_NAME_MAX, "%s", name);
}

/* -1: errno says why. More than `size` - 1 bytes are not read. */
static ssize_t read_whole(int fd, char *text, size_t size)
{
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, text + length, size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static const char *fault_of(struct slice text)
{
    if (text.length > BUNDLE_FILE_SIZE_MAX)
        return "is over 32 KiB: rule files are small";
    if (text.length >= 3 && memcmp(text.at, "\xef\xbb\xbf", 3) == 0)
        return "begins with a byte order mark: save it as UTF-8 without one";
    if (memchr(text.at, '\0', text.length) != NULL || !json_write_is_utf8(text))
        return "is no text in UTF-8";
    return NULL;
}

ssize_t bundle_read_file(int directory, const char *name, char text[BUNDLE_FILE_SIZE_MAX + 1],
                         struct bundle_report *report)
{
    struct stat status;
    const char *wrong = NULL;
    ssize_t length = -1;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode))
        wrong = "is no regular file";
    else if (fd >= 0)
        length = read_whole(fd, text, BUNDLE_FILE_SIZE_MAX + 1);
    if (wrong == NULL && length < 0)
        wrong = errno == ELOOP ? "cannot be read: links are not followed, copy the file" : "";
    else if (wrong == NULL)
        wrong = fault_of((struct slice){text, (size_t)length});
    if (wrong != NULL && wrong[0] == '\0')
        bundle_report_add(report, name, 0, 0, "cannot be read: %s", strerror(errno));
    else if (wrong != NULL)
        bundle_report_add(report, name, 0, 0, "%s", wrong);
    if (fd >= 0)
        close(fd);
    return wrong == NULL ? length : -1;
}

static void add_file(struct folder *folder, const char *name)
{
    char text[BUNDLE_FILE_SIZE_MAX + 1];
    ssize_t length = bundle_read_file(folder->directory, name, text, folder->report);
    if (length < 0)
        return;
    bytes_add_be64(&folder->image, strlen(name));
    bytes_add_text(&folder->image, name);
    bytes_add_be64(&folder->image, (uint64_t)length);
    bytes_add(&folder->image, text, (size_t)length);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void read_folder(struct folder *folder, const char *path)
{
    DIR *listing = opendir(path);
    if (listing == NULL) {
        bundle_report_add(folder->report, path, 0, 0, "cannot be read: %s", strerror(errno));
        return;
    }
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        take_entry(folder, entry->d_name);
    qsort(folder->names, folder->count, sizeof folder->names[0], compare_names);
    folder->directory = dirfd(listing);
    for (size_t i = 0; i < folder->count && folder->image.length <= BUNDLE_SIZE_MAX; i++)
        add_file(folder, folder->names[i]);
    closedir(listing);
    if (folder->count == 0)
        bundle_report_add(folder->report, path, 0, 0,
                          "holds no rule file (*.fee.lua, *.limit.lua)");
    if (folder->image.length > BUNDLE_SIZE_MAX)
        bundle_report_add(folder->report, path, 0, 0, "holds over 4 MiB of rule files");
}

static struct slice take_text(struct slice *image)
{
    uint64_t length = 0;
    assert(image->length >= 8);
    for (int i = 0; i < 8; i++)
        length = length << 8 | (unsigned char)image->at[i];
    assert(length <= image->length - 8);
    struct slice text = {image->at + 8, (size_t)length};
    *image = (struct slice){text.at + length, image->length - 8 - (size_t)length};
    return text;
}

static void unpack(struct bundle *bundle)
{
    struct slice rest = bundle->image;
    while (rest.length > 0) {
        assert(bundle->file_count < BUNDLE_FILES_MAX);
        struct file *file = &bundle->files[bundle->file_count++];
        file->name = take_text(&rest);
        file->source = take_text(&rest);
    }
}

/* "transfer.p2p@3" and "transfer.p2p@4" have one. */
static bool same_id(const char *a, const char *b)
{
    size_t length = strcspn(a, "@");
    return length == strcspn(b, "@") && memcmp(a, b, length) == 0;
}

static void check_pair(const struct fee_rule *a, const struct fee_rule *b,
                       struct bundle_report *report)
{
    bool dated =
        a->from > INT64_MIN || a->to < INT64_MAX || b->from > INT64_MIN || b->to < INT64_MAX;
    if (same_id(a->name, b->name) && !dated)
        bundle_report_add(report, b->file, 0, 0, "its id is taken by %s", a->file);
    else if (strcmp(a->name, b->name) == 0)
        bundle_report_add(report, b->file, 0, 0, "%s has the same id and version: raise it",
                          a->file);
    else if (same_id(a->name, b->name) && fee_rule_meets(a, b))
        bundle_report_add(report, b->file, 0, 0,
                          "two versions effective at once, the other is %s: let one end "
                          "(effective.to) when the other begins",
                          a->file);
    else if (fee_rule_overlaps(a, b))
        bundle_report_add(report, b->file, 0, 0,
                          "applies to the same movements as %s: tell them apart by tiers or own",
                          a->file);
}

static void check_products(const struct product *a, const struct product *b,
                           struct bundle_report *report)
{
    if (strcmp(a->id, b->id) == 0)
        bundle_report_add(report, b->file, 0, 0, "its id is taken by %s", a->file);
}

static size_t count_files(const struct bundle *bundle, const char *tail)
{
    size_t count = 0;
    for (size_t i = 0; i < bundle->file_count; i++) {
        char name[BUNDLE_NAME_MAX];
        snprintf(name, sizeof name, "%.*s", (int)bundle->files[i].name.length,
                 bundle->files[i].name.at);
        count += ends_with(name, tail);
    }
    return count;
}

static void compile_file(struct bundle *bundle, const struct file *file,
                         struct bundle_report *report)
{
    char name[BUNDLE_NAME_MAX];
    snprintf(name, sizeof name, "%.*s", (int)file->name.length, file->name.at);
    if (ends_with(name, LIMITS))
        limit_file_compile(name, file->source, &bundle->limits[bundle->limit_count++], report);
    else if (ends_with(name, PRODUCTS))
        product_compile(name, file->source, &bundle->products[bundle->product_count++], report);
    else
        fee_file_compile(name, file->source, &bundle->rules[bundle->rule_count++], report);
}

static void check_limits(const struct bundle *bundle, struct bundle_report *report)
{
    for (size_t i = 0; i < bundle->limit_count; i++)
        for (size_t k = 0; k < i; k++)
            if (same_id(bundle->limits[k].name, bundle->limits[i].name))
                bundle_report_add(report, bundle->limits[i].file, 0, 0, "its id is taken by %s",
                                  bundle->limits[k].file);
}

static struct tiers *tiers_of(struct bundle *bundle, currency which)
{
    for (size_t i = 0; i < bundle->caps_count; i++)
        if (bundle->caps[i].currency == which)
            return &bundle->caps[i];
    struct tiers *tiers = &bundle->caps[bundle->caps_count++];
    tiers->currency = which;
    return tiers;
}

/* A tier's caps one after the other, in the order of the files' names. */
static bool gather_tier(struct bundle *bundle, currency which, size_t tier,
                        struct limit_caps *gathered)
{
    size_t most = 0;
    for (size_t i = 0; i < bundle->limit_count; i++)
        most += bundle->limits[i].currency == which ? bundle->limits[i].counts[tier] : 0;
    struct limit_cap *caps = arena_array(&bundle->arena, most, sizeof caps[0]);
    gathered->at = caps;
    for (size_t i = 0; caps != NULL && i < bundle->limit_count; i++) {
        const struct limit_rule *rule = &bundle->limits[i];
        for (size_t k = 0; rule->currency == which && k < rule->counts[tier]; k++) {
            caps[gathered->count++] = rule->caps[tier][k];
            gathered->rolling = gathered->rolling || rule->caps[tier][k].period == LIMIT_ROLLING;
        }
    }
    return caps != NULL;
}

static bool gather_caps(struct bundle *bundle)
{
    bundle->caps = arena_array(&bundle->arena, bundle->limit_count, sizeof bundle->caps[0]);
    if (bundle->caps == NULL)
        return false;
    for (size_t i = 0; i < bundle->limit_count; i++)
        tiers_of(bundle, bundle->limits[i].currency);
    for (size_t i = 0; i < bundle->caps_count; i++)
        for (size_t tier = 0; tier < LIMIT_RULE_TIERS; tier++)
            if (!gather_tier(bundle, bundle->caps[i].currency, tier, &bundle->caps[i].of[tier]))
                return false;
    return true;
}

static void check_pairs(const struct bundle *bundle, struct bundle_report *report)
{
    for (size_t i = 0; i < bundle->rule_count; i++)
        for (size_t k = 0; k < i; k++)
            check_pair(&bundle->rules[k], &bundle->rules[i], report);
    for (size_t i = 0; i < bundle->product_count; i++)
        for (size_t k = 0; k < i; k++)
            check_products(&bundle->products[k], &bundle->products[i], report);
}

/* Without rules for holds those of transfers count, and a hold's receiver can't pay. */
static void check_payers(const struct bundle *bundle, struct bundle_report *report)
{
    for (size_t i = 0; i < bundle->rule_count && !fee_has_kind(bundle, "hold"); i++)
        if (bundle->rules[i].receiver_pays)
            bundle_report_add(report, bundle->rules[i].file, 0, 0,
                              "its receiver pays, which a hold's can't: without a rule for kind = "
                              "\"hold\" this one would count for holds, too");
}

static void compile(struct bundle *bundle, struct bundle_report *report)
{
    int64_t deadline = sandbox_cpu_us() + BUNDLE_CPU_MAX_US;
    for (size_t i = 0; i < bundle->file_count && !bundle_report_is_full(report); i++) {
        if (sandbox_cpu_us() > deadline) {
            bundle_report_add(report, "rules", 0, 0, "to check them all takes too long");
            return;
        }
        compile_file(bundle, &bundle->files[i], report);
    }
    if (report->count > 0)
        return;
    check_pairs(bundle, report);
    check_payers(bundle, report);
    check_limits(bundle, report);
    if (!gather_caps(bundle))
        bundle_report_add(report, "rules", 0, 0, "out of memory");
}

/* Room for as many of each kind as there are files. False: no memory. */
static bool make_room(struct bundle *bundle)
{
    size_t products = count_files(bundle, PRODUCTS);
    size_t limits = count_files(bundle, LIMITS);
    bundle->rules = arena_array(&bundle->arena, bundle->file_count - products - limits,
                                sizeof bundle->rules[0]);
    bundle->limits = arena_array(&bundle->arena, limits, sizeof bundle->limits[0]);
    bundle->products = arena_array(&bundle->arena, products, sizeof bundle->products[0]);
    return bundle->rules != NULL && bundle->limits != NULL && bundle->products != NULL;
}

struct bundle *bundle_from_image(struct slice image, struct bundle_report *report)
{
    struct bundle *bundle = memory_alloc(sizeof *bundle);
    report->count = 0;
    if (bundle == NULL) {
        bundle_report_add(report, "rules", 0, 0, "out of memory");
        return NULL;
    }
    bundle->references = 1;
    arena_init(&bundle->arena);
    bundle->image = arena_copy(&bundle->arena, image);
    crypto_sha256(bundle->image, bundle->hash);
    unpack(bundle);
    if (bundle->image.at == NULL || !make_room(bundle))
        bundle_report_add(report, "rules", 0, 0, "out of memory");
    else
        compile(bundle, report);
    if (report->count > 0) {
        bundle_release(bundle);
        return NULL;
    }
    return bundle;
}

struct bundle *bundle_load(const char *directory, struct bundle_report *report)
{
    struct bundle *bundle = NULL;
    struct folder *folder = memory_alloc(sizeof *folder);
    report->count = 0;
    if (folder == NULL) {
        bundle_report_add(report, directory, 0, 0, "out of memory");
        return NULL;
    }
    folder->report = report;
    bytes_init(&folder->image, NULL);
    read_folder(folder, directory);
    if (folder->image.failed)
        bundle_report_add(report, directory, 0, 0, "out of memory");
    if (report->count == 0)
        bundle = bundle_from_image(bytes_view(&folder->image), report);
    bytes_release(&folder->image);
    memory_free(folder);
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
    for (size_t i = 0; i < bundle->rule_count; i++)
        fee_file_release(&bundle->rules[i]);
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

size_t bundle_limit_count(const struct bundle *bundle)
{
    return bundle->limit_count;
}

bool bundle_has_rolling(const struct bundle *bundle)
{
    for (size_t i = 0; i < bundle->caps_count * LIMIT_RULE_TIERS; i++)
        if (bundle->caps[i / LIMIT_RULE_TIERS].of[i % LIMIT_RULE_TIERS].rolling)
            return true;
    return false;
}

const struct limit_caps *bundle_caps(const struct bundle *bundle, int tier, currency which)
{
    static const struct limit_caps none = {NULL, 0, false};
    assert(tier >= 0 && tier < LIMIT_RULE_TIERS);
    for (size_t i = 0; i < bundle->caps_count; i++)
        if (bundle->caps[i].currency == which)
            return &bundle->caps[i].of[tier];
    return &none;
}

size_t bundle_product_count(const struct bundle *bundle)
{
    return bundle->product_count;
}

struct slice bundle_image(const struct bundle *bundle)
{
    return bundle->image;
}

const struct fee_rule *bundle_fee_rules(const struct bundle *bundle)
{
    return bundle->rules;
}

const struct limit_rule *bundle_limit_rules(const struct bundle *bundle)
{
    return bundle->limits;
}

struct slice bundle_source(const struct bundle *bundle, const char *file)
{
    for (size_t i = 0; i < bundle->file_count; i++)
        if (slice_equals(bundle->files[i].name, file))
            return bundle->files[i].source;
    return (struct slice){NULL, 0};
}

const struct product *bundle_products(const struct bundle *bundle)
{
    return bundle->products;
}

void bundle_write_files(const struct bundle *bundle, struct bytes *out)
{
    struct json_writer writer;
    json_write_init(&writer, out);
    json_write_object(&writer);
    for (size_t i = 0; i < bundle->file_count; i++) {
        char name[BUNDLE_NAME_MAX];
        const struct file *file = &bundle->files[i];
        snprintf(name, sizeof name, "%.*s", (int)file->name.length, file->name.at);
        json_write_key(&writer, name);
        json_write_string(&writer, file->source);
    }
    json_write_object_end(&writer);
}
