#include "scripting/locate.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>

/* A walk over the source that knows strings and comments. */
struct walk {
    struct slice source;
    size_t at;
    int line;
    size_t line_began;
};

static char peek(const struct walk *walk, size_t ahead)
{
    return walk->at + ahead < walk->source.length ? walk->source.at[walk->at + ahead] : '\0';
}

static void step(struct walk *walk)
{
    if (walk->source.at[walk->at++] == '\n') {
        walk->line++;
        walk->line_began = walk->at;
    }
}

static bool more(const struct walk *walk)
{
    return walk->at < walk->source.length;
}

/* [[ ... ]] and [==[ ... ]==], as strings and behind `--`. False: no long bracket opens here. */
static bool skip_long_bracket(struct walk *walk)
{
    size_t level = 0;
    while (peek(walk, 1 + level) == '=')
        level++;
    if (peek(walk, 0) != '[' || peek(walk, 1 + level) != '[')
        return false;
    for (size_t i = 0; i < level + 2; i++)
        step(walk);
    while (more(walk)) {
        size_t closing = 0;
        while (peek(walk, 0) == ']' && peek(walk, 1 + closing) == '=' && closing < level)
            closing++;
        bool ends = peek(walk, 0) == ']' && closing == level && peek(walk, 1 + level) == ']';
        for (size_t i = 0; i < (ends ? level + 2 : 1) && more(walk); i++)
            step(walk);
        if (ends)
            break;
    }
    return true;
}

static void skip_quoted(struct walk *walk)
{
    char quote = peek(walk, 0);
    step(walk);
    while (more(walk) && peek(walk, 0) != quote && peek(walk, 0) != '\n') {
        if (peek(walk, 0) == '\\')
            step(walk);
        if (more(walk))
            step(walk);
    }
    if (more(walk))
        step(walk);
}

static void skip_comment(struct walk *walk)
{
    step(walk);
    step(walk);
    if (skip_long_bracket(walk))
        return;
    while (more(walk) && peek(walk, 0) != '\n')
        step(walk);
}

/* True: something that can hold no key was passed over. */
static bool skip(struct walk *walk)
{
    char c = peek(walk, 0);
    if (c == '-' && peek(walk, 1) == '-')
        skip_comment(walk);
    else if (c == '"' || c == '\'')
        skip_quoted(walk);
    else
        return c == '[' && skip_long_bracket(walk);
    return true;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The word at the walk's place, if an `=` (but no `==`) follows it. Moves behind the word. */
static bool is_key(struct walk *walk, const char *key)
{
    size_t from = walk->at;
    while (more(walk) && is_word(peek(walk, 0)))
        step(walk);
    struct slice word = {walk->source.at + from, walk->at - from};
    size_t ahead = 0;
    while (isspace((unsigned char)peek(walk, ahead)))
        ahead++;
    return slice_equals(word, key) && peek(walk, ahead) == '=' && peek(walk, ahead + 1) != '=';
}

void locate_key(struct slice source, const char *key, int nth, int *line, int *column)
{
    struct walk walk = {.source = source, .line = 1};
    *line = *column = 0;
    while (more(&walk)) {
        if (skip(&walk))
            continue;
        if (!is_word(peek(&walk, 0))) {
            step(&walk);
            continue;
        }
        int at_column = (int)(walk.at - walk.line_began) + 1;
        if (is_key(&walk, key) && --nth == 0) {
            *line = walk.line;
            *column = at_column;
            return;
        }
    }
}

/* Levenshtein distance, of short words only. */
static size_t distance(const char *a, const char *b)
{
    enum { LONGEST = 32 };
    size_t row[LONGEST + 1];
    size_t width = strlen(b);
    if (strlen(a) > LONGEST || width > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            size_t insert = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            row[j] = change < insert ? change : insert;
        }
    }
    return row[width];
}

const char *locate_similar(const char *word, const char *const *known)
{
    const char *best = NULL;
    size_t nearest = strlen(word) / 2 < 3 ? strlen(word) / 2 + 1 : 3;
    for (; *known != NULL; known++) {
        size_t far = distance(word, *known);
        if (far < nearest) {
            nearest = far;
            best = *known;
        }
    }
    return best;
}
