#include "supply/supplier.h"

#include <stdio.h>
#include <string.h>

/* Up to the next space into `out`; what is behind it. NULL: too long, or empty. */
static const char *take_word(const char *text, char *out, size_t size)
{
    size_t length = strcspn(text, " ");
    if (length == 0 || length >= size)
        return NULL;
    memcpy(out, text, length);
    out[length] = '\0';
    return text[length] == ' ' ? text + length + 1 : text + length;
}

static bool is_visible(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text < '!' || *text > '~')
            return false;
    return true;
}

bool supplier_parse(const char *text, struct supplier *supplier)
{
    memset(supplier, 0, sizeof *supplier);
    supplier->kind = &supplier_http;
    const char *rest = take_word(text, supplier->name, sizeof supplier->name);
    rest = rest == NULL ? NULL : take_word(rest, supplier->url, sizeof supplier->url);
    rest = rest == NULL ? NULL : take_word(rest, supplier->token, sizeof supplier->token);
    if (rest == NULL || *rest != '\0' || text[strlen(text) - 1] == ' ')
        return false;
    size_t length = strlen(supplier->url);
    return strncmp(supplier->url, "http", 4) == 0 && supplier->url[length - 1] != '/' &&
           is_visible(supplier->url) && is_visible(supplier->token) &&
           strcmp(supplier->name, "stock") != 0 &&
           supplier->name[strspn(supplier->name, "abcdefghijklmnopqrstuvwxyz0123456789._-")] ==
               '\0';
}
