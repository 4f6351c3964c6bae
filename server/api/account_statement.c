#include "api/account_statement.h"

#include <assert.h>
#include <stdio.h>

#include "base/clock.h"
#include "ledger/transaction.h"
#include "store/wallets.h"

/* What stands in one line of either document. */
struct cells {
    char time[CLOCK_TEXT_MAX];
    char id[UUID_TEXT_MAX];
    const char *kind;
    char counterparty[UUID_TEXT_MAX];
    struct slice reference, note;
    int64_t in, out, fee;
    int64_t balance;
};

/* ---- money */

/* 1234567 of two digits is 12345.67, or 12 345.67 with no-break spaces. */
static void add_money(struct bytes *out, currency which, int64_t minor, bool grouped)
{
    char digits[32];
    int decimals = currency_digits(which);
    uint64_t size = minor < 0 ? 0 - (uint64_t)minor : (uint64_t)minor;
    int length = snprintf(digits, sizeof digits, "%0*llu", decimals + 1, (unsigned long long)size);
    int whole = length - decimals;
    if (minor < 0)
        bytes_add_char(out, '-');
    for (int i = 0; i < whole; i++) {
        if (grouped && i > 0 && (whole - i) % 3 == 0)
            bytes_add_text(out, "\xc2\xa0");
        bytes_add_char(out, digits[i]);
    }
    if (decimals > 0)
        bytes_add_char(out, '.');
    bytes_add(out, digits + whole, (size_t)decimals);
}

/* A payer's fee is part of the change; whatever else changed came in or went out. */
static void split(const struct account_statement *statement, const struct wallets_transaction *line,
                  struct cells *cells)
{
    bool pays = line->change < 0 && uuid_equal(&line->from, &statement->wallet);
    cells->fee = !pays ? 0 : line->fee < -line->change ? line->fee : -line->change;
    cells->in = line->change > 0 ? line->change : 0;
    cells->out = line->change < 0 ? -line->change - cells->fee : 0;
}

/* ---- CSV */

static bool looks_like_formula(struct slice text)
{
    return text.length > 0 && text.at[0] != '\0' && strchr("=+-@\t\r", text.at[0]) != NULL;
}

/* Always quoted: RFC 4180, 2.5 to 2.7. */
static void add_cell(struct bytes *out, struct slice text)
{
    bytes_add_char(out, '"');
    if (looks_like_formula(text))
        bytes_add_char(out, '\'');
    for (size_t i = 0; i < text.length; i++) {
        if (text.at[i] == '"')
            bytes_add_char(out, '"');
        bytes_add_char(out, text.at[i]);
    }
    bytes_add_text(out, "\",");
}

static void write_csv(struct account_statement *s, const struct cells *cells)
{
    char code[4];
    const int64_t amounts[] = {cells->in, cells->out, cells->fee};
    currency_text(s->currency, code);
    bytes_add_text(s->out, cells->time);
    bytes_add_char(s->out, ',');
    bytes_add_text(s->out, cells->id);
    bytes_add_char(s->out, ',');
    add_cell(s->out, slice_of(cells->kind));
    bytes_add_text(s->out, cells->counterparty);
    bytes_add_char(s->out, ',');
    add_cell(s->out, cells->reference);
    add_cell(s->out, cells->note);
    bytes_add_text(s->out, code);
    bytes_add_char(s->out, ',');
    for (size_t i = 0; i < 3; i++) {
        add_money(s->out, s->currency, amounts[i], false);
        bytes_add_char(s->out, ',');
    }
    add_money(s->out, s->currency, cells->balance, false);
    bytes_add_text(s->out, "\r\n");
}

/* ---- HTML */

static void add_escaped(struct bytes *out, struct slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        switch (text.at[i]) {
        case '&':
            bytes_add_text(out, "&amp;");
            break;
        case '<':
            bytes_add_text(out, "&lt;");
            break;
        case '>':
            bytes_add_text(out, "&gt;");
            break;
        case '"':
            bytes_add_text(out, "&quot;");
            break;
        case '\'':
            bytes_add_text(out, "&#39;");
            break;
        default:
            bytes_add_char(out, text.at[i]);
        }
    }
}

static void add_text_cell(struct bytes *out, const char *open, struct slice text)
{
    bytes_add_text(out, open);
    add_escaped(out, text);
    bytes_add_text(out, "</td>");
}

static void add_money_cell(struct account_statement *s, int64_t minor, bool empty_when_zero)
{
    bytes_add_text(s->out, "<td class=n>");
    if (minor != 0 || !empty_when_zero)
        add_money(s->out, s->currency, minor, true);
    bytes_add_text(s->out, "</td>");
}

static void write_html(struct account_statement *s, const struct cells *cells)
{
    bool line = cells->id[0] != '\0';
    bytes_add_text(s->out, line ? "<tr>" : "<tr class=t>");
    bytes_add_text(s->out, "<td class=m>");
    bytes_add(s->out, cells->time, 10);
    bytes_add_char(s->out, ' ');
    bytes_add(s->out, cells->time + 11, 8);
    add_text_cell(s->out, "</td><td>", slice_of(cells->kind));
    add_text_cell(s->out, "<td>", cells->note);
    add_text_cell(s->out, "<td>", cells->reference);
    bytes_add_text(s->out, "<td class=i>");
    bytes_add_text(s->out, cells->id);
    bytes_add_text(s->out, cells->counterparty[0] == '\0' ? "" : "<br>");
    bytes_add_text(s->out, cells->counterparty);
    bytes_add_text(s->out, "</td>");
    add_money_cell(s, cells->in, line);
    add_money_cell(s, cells->out, line);
    add_money_cell(s, cells->fee, line);
    add_money_cell(s, cells->balance, false);
    bytes_add_text(s->out, "</tr>\n");
}

/* thead is repeated on every sheet: so is what says whose it is. */
static const char style[] =
    "@page{size:A4;margin:15mm 12mm}"
    "body{font:9pt/1.35 system-ui,sans-serif;color:#111;max-width:190mm;margin:1em auto}"
    "h1{font-size:15pt;margin:0 0 .6em}table{width:100%;border-collapse:collapse}"
    "thead{display:table-header-group}tr{break-inside:avoid}"
    "th,td{padding:.25em .4em;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "th{border-bottom:1.5pt solid #111}td{border-bottom:.5pt solid #ccc}"
    "thead .p{font-weight:400;border:0}.n{text-align:right;white-space:nowrap}"
    ".m{white-space:nowrap}.i{font:7pt ui-monospace,monospace}.t td{font-weight:700}";

static void add_day(struct bytes *out, int64_t unix_us)
{
    char text[CLOCK_TEXT_MAX];
    clock_format(unix_us, text);
    bytes_add(out, text, 10);
    bytes_add_char(out, ' ');
    bytes_add(out, text + 11, 8);
}

static void begin_html(struct account_statement *s)
{
    char id[UUID_TEXT_MAX];
    char code[4];
    uuid_format(&s->wallet, "wal_", id);
    currency_text(s->currency, code);
    bytes_add_text(s->out, "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
                           "<meta name=viewport content=\"width=device-width\">"
                           "<title>Account statement ");
    bytes_add_text(s->out, id);
    bytes_add_text(s->out, "</title><style>");
    bytes_add_text(s->out, style);
    bytes_add_text(s->out, "</style></head><body>\n<h1>Account statement</h1>\n<table><thead>\n"
                           "<tr><th class=p colspan=9>");
    add_escaped(s->out, s->owner);
    bytes_add_text(s->out, " &middot; ");
    add_escaped(s->out, s->label);
    bytes_printf(s->out, " &middot; %s &middot; %s &middot; ", id, code);
    add_day(s->out, s->from);
    bytes_add_text(s->out, " to ");
    add_day(s->out, s->to);
    bytes_add_text(s->out, " UTC</th></tr>\n<tr><th>Time (UTC)<th>Kind<th>Note<th>Reference"
                           "<th>Transaction<th class=n>In<th class=n>Out<th class=n>Fee"
                           "<th class=n>Balance</tr></thead>\n<tbody>\n");
}

/* ---- both */

static void write_cells(struct account_statement *s, const struct cells *cells)
{
    if (s->format == ACCOUNT_STATEMENT_CSV)
        write_csv(s, cells);
    else
        write_html(s, cells);
}

void account_statement_begin(struct account_statement *s)
{
    struct cells opening = {.kind = "opening balance", .balance = s->opening};
    s->in = s->went = s->fees = 0;
    s->balance = s->opening;
    if (s->format == ACCOUNT_STATEMENT_CSV)
        bytes_add_text(s->out, "Time (UTC),Transaction,Kind,Counterparty,Reference,Note,Currency,"
                               "In,Out,Fee,Balance\r\n");
    else
        begin_html(s);
    clock_format(s->from, opening.time);
    write_cells(s, &opening);
}

bool account_statement_line(struct account_statement *s, const struct wallets_transaction *line)
{
    static const uint8_t system_start[6] = {0};
    struct cells cells = {
        .kind = transaction_kind_name((enum transaction_kind)line->kind),
        .reference = line->reference,
        .note = line->note,
        .balance = line->posted_after,
    };
    const struct uuid *other = uuid_equal(&line->from, &s->wallet) ? &line->to : &line->from;
    if (line->posted_after - line->change != s->balance)
        return false;
    clock_format(line->created_at, cells.time);
    uuid_format(&line->id, "tx_", cells.id);
    if (memcmp(other->bytes, system_start, sizeof system_start) != 0)
        uuid_format(other, "wal_", cells.counterparty);
    split(s, line, &cells);
    s->in += cells.in;
    s->went += cells.out;
    s->fees += cells.fee;
    s->balance = line->posted_after;
    write_cells(s, &cells);
    return true;
}

void account_statement_end(struct account_statement *s)
{
    struct cells closing = {.kind = "closing balance",
                            .in = s->in,
                            .out = s->went,
                            .fee = s->fees,
                            .balance = s->closing};
    assert(s->balance == s->closing);
    assert(s->opening + s->in - s->went - s->fees == s->closing);
    clock_format(s->to, closing.time);
    write_cells(s, &closing);
    if (s->format == ACCOUNT_STATEMENT_CSV)
        return;
    bytes_add_text(s->out, "</tbody></table>\n<p>Available at the end: ");
    add_money(s->out, s->currency, s->closing - s->held, true);
    bytes_add_text(s->out, " (held: ");
    add_money(s->out, s->currency, s->held, true);
    bytes_add_text(s->out, ").</p>\n</body></html>\n");
}
