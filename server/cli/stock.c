/* moolah stock: the vouchers that are sold from it. PINs are sealed before they leave this program;
 * the database sees none. */
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "scripting/bundle.h"
#include "scripting/product.h"
#include "supply/pin.h"

#define FILE_MAX (8UL * 1024 * 1024)
#define PRODUCT_MAX 47

/* A file on its way into the stock: two arrays in PostgreSQL's text form. */
struct load {
    const struct cli *cli;
    struct slice product;
    struct bytes hashes, pins;
    long count;
};

static bool is_product(const char *text)
{
    size_t length = strlen(text);
    return length >= 1 && length <= PRODUCT_MAX &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

static const struct product *find(const struct bundle *bundle, const char *id)
{
    const struct product *products = bundle_products(bundle);
    for (size_t i = 0; i < bundle_product_count(bundle); i++)
        if (strcmp(products[i].id, id) == 0)
            return &products[i];
    return NULL;
}

/* 0, or the exit code: what is wrong was said. Nobody could take a voucher back out that was loaded
 * for something else. */
static int check_sold_from_stock(const struct cli *cli)
{
    struct bundle_report report = {.count = 0};
    struct bundle *bundle = bundle_load(cli->rules, &report);
    if (bundle == NULL)
        return cli_fail(1, "which products there are can't be read: %s: %s (moolah rules check %s)",
                        report.findings[0].file, report.findings[0].message, cli->rules);
    const struct product *product = find(bundle, cli->words[0]);
    int code = 0;
    if (product == NULL)
        code = cli_fail(1, "%s is no product of %s: is it misspelt?", cli->words[0], cli->rules);
    else if (strcmp(product->supplier, PRODUCT_STOCK) != 0)
        code = cli_fail(1, "%s comes from the supplier %s, not from stock", cli->words[0],
                        product->supplier);
    bundle_release(bundle);
    return code;
}

static void add_pin(struct load *load, struct slice pin)
{
    uint8_t hash[CRYPTO_HASH_SIZE];
    uint8_t sealed[PIN_MAX + CRYPTO_SEAL_EXTRA];
    pin_hash(load->cli->secret_key, pin, hash);
    pin_seal(load->cli->secret_key, load->product, pin, sealed);
    bytes_add_char(&load->hashes, load->count == 0 ? '{' : ',');
    bytes_add_hex(&load->hashes, hash, sizeof hash);
    bytes_add_char(&load->pins, load->count == 0 ? '{' : ',');
    bytes_add_hex(&load->pins, sealed, pin.length + CRYPTO_SEAL_EXTRA);
    load->count++;
}

/* A PIN a line; empty lines don't count. 0, or the number of a line that is none. */
static long take_lines(struct load *load, struct slice text)
{
    for (long line = 1; text.length > 0; line++) {
        const char *end = memchr(text.at, '\n', text.length);
        size_t length = end == NULL ? text.length : (size_t)(end - text.at);
        struct slice pin = {text.at, length};
        size_t whole = end == NULL ? length : length + 1;
        text = (struct slice){text.at + whole, text.length - whole};
        if (pin.length > 0 && pin.at[pin.length - 1] == '\r')
            pin.length--;
        if (pin.length > 0 && !pin_is_good(pin))
            return line;
        if (pin.length > 0)
            add_pin(load, pin);
    }
    bytes_add_text(&load->hashes, "}");
    bytes_add_char(&load->hashes, '\0');
    bytes_add_text(&load->pins, "}");
    bytes_add_char(&load->pins, '\0');
    return 0;
}

static int report(const struct load *load, long added)
{
    if (load->cli->json) {
        struct json_writer *json = cli_json_begin();
        json_write_object(json);
        json_write_key(json, "loaded");
        json_write_int(json, added);
        json_write_key(json, "skipped");
        json_write_int(json, load->count - added);
        json_write_object_end(json);
        cli_json_end();
        return 0;
    }
    printf("%ld vouchers of %s loaded", added, load->product.at);
    if (added < load->count)
        printf(", %ld skipped: they are there already (of this product or another), or twice in "
               "the file",
               load->count - added);
    printf("\n");
    return 0;
}

/* One statement: all of the file, or nothing. */
static int insert(const struct load *load)
{
    static const char sql[] =
        "insert into voucher_stock (product, pin_hash, pin, loaded_at) select $1, "
        "decode(h, 'hex'), decode(p, 'hex'), now() from unnest($2::text[], $3::text[]) as u(h, p) "
        "on conflict (pin_hash) do nothing";
    const char *values[] = {load->product.at, load->hashes.at, load->pins.at};
    PGconn *conn = PQconnectdb(load->cli->database);
    PGresult *result = PQstatus(conn) == CONNECTION_OK
                           ? PQexecParams(conn, sql, 3, NULL, values, NULL, NULL, 0)
                           : NULL;
    int code = PQresultStatus(result) == PGRES_COMMAND_OK
                   ? report(load, strtol(PQcmdTuples(result), NULL, 10))
                   : cli_fail_database(load->cli, PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
    return code;
}

static int load_text(const struct cli *cli, struct slice text)
{
    struct load load = {.cli = cli, .product = slice_of(cli->words[0])};
    int code;
    bytes_init(&load.hashes, NULL);
    bytes_init(&load.pins, NULL);
    long line = take_lines(&load, text);
    if (line > 0)
        code = cli_fail(1,
                        "%s: line %ld is no PIN (1 to %d printable characters); nothing was "
                        "loaded",
                        cli->words[1], line, PIN_MAX);
    else if (load.count == 0)
        code = cli_fail(1, "%s holds no PIN", cli->words[1]);
    else if (load.hashes.failed || load.pins.failed)
        code = cli_fail(1, "out of memory");
    else
        code = insert(&load);
    bytes_release(&load.hashes);
    bytes_release(&load.pins);
    return code;
}

static int load(const struct cli *cli)
{
    if (cli->secret_key == NULL)
        return cli_fail(2, "moolah stock load needs --config FILE: its secret_key seals the PINs");
    if (!is_product(cli->words[0]))
        return cli_fail(2, "PRODUCT is a rule's id, such as airtime.r50");
    if (check_sold_from_stock(cli) != 0)
        return 1;
    char *text = memory_alloc(FILE_MAX);
    FILE *file = fopen(cli->words[1], "re");
    if (file == NULL || text == NULL) {
        int code = cli_fail(1, "%s: %s", cli->words[1], strerror(errno));
        if (file != NULL)
            fclose(file);
        memory_free(text);
        return code;
    }
    size_t length = fread(text, 1, FILE_MAX, file);
    bool good = ferror(file) == 0 && length < FILE_MAX;
    fclose(file);
    int code = good ? load_text(cli, (struct slice){text, length})
                    : cli_fail(1, "%s can't be read, or is over 8 MiB", cli->words[1]);
    memory_wipe(text, length);
    memory_free(text);
    return code;
}

static const char status_sql[] =
    "select product, count(*) filter (where status = 1) \"free:number\", "
    "count(*) filter (where status = 2) \"reserved:number\", "
    "count(*) filter (where status = 3) \"sold:number\" from voucher_stock "
    "group by product order by product";

static int status(const struct cli *cli)
{
    return cli_print_query(cli, &(struct cli_query){.sql = status_sql});
}

const struct cli_command cli_stock[] = {
    {"load", "PRODUCT FILE", 2, 2, CLI_DATABASE,
     "vouchers, a PIN a line; one that is there already is skipped", load},
    {"status", "", 0, 0, CLI_DATABASE, "how many are free, reserved, sold", status},
    {.name = NULL},
};
