/* A small strict reader of the XML that our pages are: tags nest and close, attributes are quoted
 * and come once, text holds no bare angle bracket, entities are the five of XML or #39, ids are
 * unique. NULL: fine; otherwise what is wrong, at *where. */
#ifndef TESTS_XML_H
#define TESTS_XML_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define XML_DEPTH 32
#define XML_IDS 4096

struct xml {
    const char *at;
    char open[XML_DEPTH][24];
    size_t depth;
    char ids[XML_IDS][48];
    size_t id_count;
};

static bool xml_name(struct xml *x, char out[24])
{
    size_t length = 0;
    while (isalnum((unsigned char)*x->at) || *x->at == '-') {
        if (length < 23)
            out[length++] = *x->at;
        x->at++;
    }
    out[length] = '\0';
    return length > 0;
}

static const char *xml_character(struct xml *x)
{
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    unsigned char c = (unsigned char)*x->at;
    if (c == '>')
        return "a bare >";
    if (c < ' ' && c != '\n' && c != '\t')
        return "a control character";
    if (strncmp(x->at, "\xef\xbf\xbe", 3) == 0 || strncmp(x->at, "\xef\xbf\xbf", 3) == 0)
        return "a noncharacter";
    if (c != '&') {
        x->at++;
        return NULL;
    }
    for (size_t i = 0; i < 5; i++)
        if (strncmp(x->at, entities[i], strlen(entities[i])) == 0) {
            x->at += strlen(entities[i]);
            return NULL;
        }
    return "an unknown entity";
}

static const char *xml_attribute(struct xml *x)
{
    char name[24];
    if (!xml_name(x, name) || strncmp(x->at, "=\"", 2) != 0)
        return "an attribute without a quoted value";
    if (strncmp(name, "on", 2) == 0 || strcmp(name, "src") == 0 || strcmp(name, "href") == 0 ||
        strcmp(name, "style") == 0)
        return "an attribute that a page of ours doesn't have";
    x->at += 2;
    const char *value = x->at;
    while (*x->at != '"') {
        const char *wrong = *x->at == '\0' || *x->at == '<' ? "a broken value" : xml_character(x);
        if (wrong != NULL)
            return wrong;
    }
    if (strcmp(name, "id") == 0) {
        char *id = x->ids[x->id_count < XML_IDS - 1 ? x->id_count++ : XML_IDS - 1];
        snprintf(id, 48, "%.*s", (int)(x->at - value), value);
        for (size_t i = 0; i + 1 < x->id_count; i++)
            if (strcmp(x->ids[i], id) == 0)
                return "an id twice";
    }
    x->at++;
    return NULL;
}

static const char *xml_close(struct xml *x)
{
    char name[24];
    x->at += 2;
    if (!xml_name(x, name) || *x->at++ != '>')
        return "a broken end tag";
    if (x->depth == 0 || strcmp(x->open[x->depth - 1], name) != 0)
        return "an end tag that nothing opened";
    x->depth--;
    return NULL;
}

static const char *xml_tag(struct xml *x)
{
    const char *wrong;
    if (x->at[1] == '/')
        return xml_close(x);
    x->at++;
    if (x->depth == XML_DEPTH || !xml_name(x, x->open[x->depth]))
        return "a broken or too deep tag";
    if (strcmp(x->open[x->depth], "script") == 0)
        return "a script";
    while (*x->at == ' ') {
        x->at++;
        if ((wrong = xml_attribute(x)) != NULL)
            return wrong;
    }
    if (strncmp(x->at, "/>", 2) == 0) {
        x->at += 2;
        return NULL;
    }
    if (*x->at++ != '>')
        return "a broken tag";
    x->depth++;
    return NULL;
}

/* `text` ends with a NUL; a doctype may stand first. */
static inline const char *xml_check(const char *text, const char **where)
{
    static struct xml x;
    const char *wrong = NULL;
    x = (struct xml){.at = text};
    if (strncmp(x.at, "<!DOCTYPE html>\n", 16) == 0)
        x.at += 16;
    while (*x.at != '\0' && wrong == NULL)
        wrong = *x.at == '<' ? xml_tag(&x) : xml_character(&x);
    *where = x.at;
    return wrong != NULL ? wrong : x.depth > 0 ? "a tag that is never closed" : NULL;
}

#endif
