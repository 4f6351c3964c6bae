#include "scripting/locate.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define LOCATE_PARTS_MAX 6

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

/* The word at the walk's place, and whether an `=` (but no `==`) follows it. Moves behind the word.
 */
static bool take_key(struct walk *walk, struct slice *word)
{
    size_t from = walk->at;
    while (more(walk) && is_word(peek(walk, 0)))
        step(walk);
    *word = (struct slice){walk->source.at + from, walk->at - from};
    size_t ahead = 0;
    while (isspace((unsigned char)peek(walk, ahead)))
        ahead++;
    return peek(walk, ahead) == '=' && peek(walk, ahead + 1) != '=';
}

/* A path on its way through the braces: `matched` parts of it have been entered. */
struct trail {
    struct slice parts[LOCATE_PARTS_MAX];
    size_t count;
    size_t matched;
    size_t depth; /* braces that are open; the one table is the first */
    long members; /* tables so far in the one that holds the next part */
    int line;     /* of the last part matched */
    int column;
    bool ended; /* the last table entered has closed: what is wanted isn't in it */
};

static void enter(struct trail *trail, int line, int column)
{
    trail->matched++;
    trail->members = 0;
    trail->line = line;
    trail->column = column;
}

static void on_brace(struct trail *trail, const struct walk *walk, bool opens)
{
    if (!opens) {
        trail->depth -= trail->depth > 0;
        trail->ended = trail->matched > 0 && trail->depth == trail->matched;
        return;
    }
    trail->depth++;
    if (trail->depth != trail->matched + 2)
        return;
    struct slice part = trail->parts[trail->matched];
    if (isdigit((unsigned char)part.at[0]) && strtol(part.at, NULL, 10) == ++trail->members)
        enter(trail, walk->line, (int)(walk->at - walk->line_began) + 1);
}

static void split(const char *path, struct trail *trail)
{
    while (trail->count < LOCATE_PARTS_MAX) {
        size_t length = strcspn(path, ".");
        trail->parts[trail->count++] = (struct slice){path, length};
        if (path[length] == '\0')
            return;
        path += length + 1;
    }
}

static void walk_trail(struct slice source, struct trail *trail)
{
    struct walk walk = {.source = source, .line = 1};
    while (more(&walk) && !trail->ended && trail->matched < trail->count) {
        struct slice word;
        char c = peek(&walk, 0);
        if (skip(&walk))
            continue;
        if (!is_word(c)) {
            if (c == '{' || c == '}')
                on_brace(trail, &walk, c == '{');
            step(&walk);
            continue;
        }
        int column = (int)(walk.at - walk.line_began) + 1;
        int line = walk.line;
        if (take_key(&walk, &word) && trail->depth == trail->matched + 1 &&
            slice_equal(word, trail->parts[trail->matched]))
            enter(trail, line, column);
    }
}

/* Anywhere: a table put together from local ones. */
static void find_key(struct slice source, struct slice key, int *line, int *column)
{
    struct walk walk = {.source = source, .line = 1};
    while (more(&walk)) {
        struct slice word;
        if (skip(&walk))
            continue;
        *line = walk.line;
        *column = (int)(walk.at - walk.line_began) + 1;
        if (!is_word(peek(&walk, 0)))
            step(&walk);
        else if (take_key(&walk, &word) && slice_equal(word, key))
            return;
    }
    *line = *column = 0;
}

/* `posting.lanes =`, written out: where a table is filled bit by bit. False: nowhere. */
static bool find_assignment(struct slice source, const char *path, int *line, int *column)
{
    struct walk walk = {.source = source, .line = 1};
    size_t length = strlen(path);
    size_t last = (size_t)(strrchr(path, '.') + 1 - path);
    while (more(&walk)) {
        struct slice word;
        if (skip(&walk))
            continue;
        bool here = is_word(peek(&walk, 0)) && source.length - walk.at > length &&
                    memcmp(source.at + walk.at, path, length) == 0;
        for (size_t i = 0; here && i < last; i++)
            step(&walk);
        *line = walk.line;
        *column = (int)(walk.at - walk.line_began) + 1;
        if (!is_word(peek(&walk, 0)))
            step(&walk);
        else if (take_key(&walk, &word) && here && word.length == length - last)
            return true;
    }
    return false;
}

void locate_path(struct slice source, const char *path, int *line, int *column)
{
    struct trail trail = {.count = 0};
    if (strchr(path, '.') != NULL && find_assignment(source, path, line, column))
        return;
    split(path, &trail);
    walk_trail(source, &trail);
    *line = trail.line;
    *column = trail.column;
    if (trail.matched == 0)
        find_key(source, trail.parts[trail.count - 1], line, column);
}

/* Lua's own way to read a numeral; moves behind it. True: it is no 64-bit integer. */
static bool take_fraction(struct walk *walk)
{
    size_t from = walk->at;
    bool hex = peek(walk, 0) == '0' && (peek(walk, 1) | 32) == 'x';
    char exponent = hex ? 'p' : 'e';
    bool fraction = false;
    for (; is_word(peek(walk, 0)) || peek(walk, 0) == '.'; step(walk)) {
        bool scaled = (peek(walk, 0) | 32) == exponent;
        fraction = fraction || scaled || peek(walk, 0) == '.';
        if (scaled && (peek(walk, 1) == '-' || peek(walk, 1) == '+'))
            step(walk);
    }
    int64_t value = 0;
    for (size_t i = from; !fraction && !hex && i < walk->at; i++)
        fraction = __builtin_mul_overflow(value, 10, &value) ||
                   __builtin_add_overflow(value, walk->source.at[i] - '0', &value);
    return fraction;
}

/* At something outside strings and comments; moves behind it. */
static bool take_inexact(struct walk *walk)
{
    char c = peek(walk, 0);
    bool number = isdigit((unsigned char)c) || (c == '.' && isdigit((unsigned char)peek(walk, 1)));
    if (number)
        return take_fraction(walk);
    bool word = is_word(c);
    bool twice = (c == '/' || c == '.') && peek(walk, 1) == c; /* `//` is exact, `..` joins */
    do {
        step(walk);
    } while (more(walk) && (word ? is_word(peek(walk, 0)) : twice && peek(walk, 0) == c));
    return !twice && (c == '/' || c == '^');
}

bool locate_inexact(struct slice source, int *line, int *column)
{
    struct walk walk = {.source = source, .line = 1};
    while (more(&walk)) {
        if (skip(&walk))
            continue;
        *line = walk.line;
        *column = (int)(walk.at - walk.line_began) + 1;
        if (take_inexact(&walk))
            return true;
    }
    *line = *column = 0;
    return false;
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
