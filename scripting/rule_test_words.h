/* The words of the files that test rules: `tests { ... }`, and in it `example`, `property`,
 * `sequence` and `sale`. Each of these becomes a small table: {word=, line=, name=, from=, items=}:
 * its named keys stay in `from`, what stands behind the name goes to `items`. */
#ifndef SCRIPTING_RULE_TEST_WORDS_H
#define SCRIPTING_RULE_TEST_WORDS_H

#include <stdbool.h>

struct lua_State;

enum rule_test_word { RULE_TEST_EXAMPLE, RULE_TEST_PROPERTY, RULE_TEST_SEQUENCE, RULE_TEST_SALE };

/* Give the globals table these words; the vocabulary is open already. */
void rule_test_words_open(struct lua_State *lua);

/* Is the value at `at` what the last `tests { }` made? */
bool rule_test_words_is_tests(struct lua_State *lua, int at);

/* The word that made the value at `at` and the line where it stands. False: it's no test. */
bool rule_test_words_read(struct lua_State *lua, int at, enum rule_test_word *word, int *line);

#endif
