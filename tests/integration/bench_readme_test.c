/* What benchmarks/README.md says about results, run as it stands there; only var/ is the test's.
 *
 * Covers: benchmarks/main.c benchmarks/collect.c benchmarks/plan_text.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static char folder[] = "/tmp/moolah-bench-readme-XXXXXX";

static int shell(const char *command)
{
    char text[2000];
    snprintf(text, sizeof text,
             "cd '" MOOLAH_SOURCE_DIR "' && D=%s && B=" MOOLAH_BINARY_DIR
             "/moolah-bench && { %s\n}",
             folder, command);
    return system(text);
}

static void must(const char *command)
{
    if (shell(command) != 0)
        fail_msg("failed: %s", command);
}

/* ci/bench's runs.jsonl and notes.txt, from the result that it made of them. */
static int begin(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    return shell("mkdir $D/bench && python3 -c 'import json, sys\n"
                 "result = json.load(open(sys.argv[1]))\n"
                 "runs = open(sys.argv[2] + \"/runs.jsonl\", \"w\")\n"
                 "for run in result[\"runs\"]:\n"
                 "    runs.write(json.dumps(run) + \"\\n\")\n"
                 "notes = open(sys.argv[2] + \"/notes.txt\", \"w\")\n"
                 "for one in result[\"baselines\"]:\n"
                 "    notes.write(\"baseline %(name)s %(value)s %(unit)s\\n\" % one)\n"
                 "' $(ls benchmarks/results/*.json | tail -n 1) $D/bench");
}

static int end(void **state)
{
    (void)state;
    return shell("rm -r $D");
}

static void test_the_commands_of_the_readme(void **state)
{
    (void)state;
    must("awk '/^## / { on = ($0 == \"## Working with results\") } "
         "/^```/ { if (on && $0 == \"```sh\") { inside = 1; next } inside = 0 } inside' "
         "benchmarks/README.md | sed \"s|\\$PWD/var/build|@BUILD@|; s|var/|$D/|g; "
         "s|@BUILD@|" MOOLAH_BINARY_DIR "|\" >$D/commands && "
         "sed 's/ #.*//' $D/commands | grep -c '^moolah-bench' | grep -qx 4 && "
         "sh -eu $D/commands >$D/out 2>&1 || { cat $D/out; exit 1; }");
    must("grep -q '^Figures:' $D/out && grep -q '^What counts as noise' $D/out && "
         "grep -q '^Nothing changed beyond noise' $D/out && grep -q '^What to buy' $D/out && "
         "grep -q '<figure id=\"goodput\">' $D/report.html || { cat $D/out; exit 1; }");
    must("$B report --figures $D/again.json >$D/figures && grep -q '^send_money_peak ' $D/figures");
}

static void test_every_command_teaches(void **state)
{
    (void)state;
    must("for c in seed run raw collect report compare plan; do "
         "$B --help | grep -qE \"^ *moolah-bench $c +[a-z]\" || exit 1; "
         "$B $c --help >$D/out 2>$D/err && [ ! -s $D/err ] && "
         "[ $(wc -l <$D/out) -gt 4 ] || { echo $c; cat $D/out $D/err; exit 1; }; done");
    must("for c in collect report compare plan; do $B $c --help | grep -q '^Exit codes: 0' && "
         "$B $c --help | grep -q '^  moolah-bench' || { echo $c; exit 1; }; "
         "$B $c 2>$D/err; [ $? = 2 ] && grep -q -e '--help' $D/err || { echo $c; exit 1; }; done");
    must(
        "$B >$D/out 2>&1; [ $? = 2 ] && $B what 2>$D/err; [ $? = 2 ] && grep -q \"'what'\" $D/err");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_commands_of_the_readme),
        cmocka_unit_test(test_every_command_teaches),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
