/* Random walks through the API against a model that knows what each call must be answered: valid
 * and invalid ones, one after the other, then many at once; a failure is cut down to the few steps
 * that it takes. At the end the ledger is verified.
 *
 * MOOLAH_FUZZ_STEPS (150) steps a walk; MOOLAH_FUZZ_WALKS (4) walks alone; MOOLAH_FUZZ_SEED repeats
 * a run's dice. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/cast.h"
#include "support/crowd.h"
#include "support/shrink.h"
#include "support/world.h"

#define MANY 8 /* worlds walked at once, each on its own connection */

static struct {
    struct stack *stack;
    struct client *clients[MANY][2];
    char rules[64];
    unsigned seed;
    size_t steps;
    int walks;
    struct {
        char what[48];
        long times;
    } met[64]; /* answers */
    size_t met_count;
} fuzz;

/* Worlds on connections of their own, until they are through or one has failed. */
struct outing {
    struct world *worlds[MANY];
    int count;
    enum model_lie lie;
};

static void add_world(struct outing *outing, const struct step *steps, size_t count)
{
    struct world *world = world_new(fuzz.stack, steps, count, false);
    struct client **clients = fuzz.clients[outing->count];
    for (int i = 0; i < 2; i++) {
        if (clients[i] == NULL)
            clients[i] = client_open(fuzz.stack->port + i, fuzz.stack->ca);
        assert_non_null(clients[i]);
        world->clients[i] = clients[i];
    }
    world->model.lie = outing->lie;
    outing->worlds[outing->count++] = world;
}

static void close_clients(struct client *clients[2])
{
    for (int k = 0; k < 2; k++)
        client_close(clients[k]);
    clients[0] = clients[1] = NULL;
}

/* Connections are kept for the next one, unless there is something under way on them. */
static void end_outing(struct outing *outing)
{
    for (int i = 0; i < outing->count; i++) {
        const struct world *world = outing->worlds[i];
        if (world->busy || !client_is_open(world->clients[0]) || !client_is_open(world->clients[1]))
            close_clients(fuzz.clients[i]);
        world_free(outing->worlds[i]);
    }
    outing->count = 0;
}

/* A walk all alone. */
static bool fails_alone(void *owner, const void *steps, size_t count)
{
    struct outing outing = {.lie = *(const enum model_lie *)owner};
    add_world(&outing, steps, count);
    bool failed = world_walk(outing.worlds, 1) >= 0;
    end_outing(&outing);
    return failed;
}

/* The walk, with others at the same time. */
struct company {
    struct step *others[MANY];
    int count;
    size_t steps;
};

static bool fails_among(void *owner, const void *steps, size_t count)
{
    const struct company *company = owner;
    struct outing outing = {.count = 0};
    add_world(&outing, steps, count);
    for (int i = 0; i < company->count; i++)
        add_world(&outing, company->others[i], company->steps);
    bool failed = world_walk(outing.worlds, outing.count) == 0;
    end_outing(&outing);
    return failed;
}

static void tell_last(const struct world *world)
{
    world_tell(world, &world->steps[world->at], stderr);
    fprintf(stderr, "  which is wrong: %s\n", world->complaint);
}

static void tell_walk(const struct world *world)
{
    for (size_t i = 0; i < world->at; i++)
        world_tell(world, &world->steps[i], stderr);
    tell_last(world);
}

/* What went wrong, in as few steps as it takes. */
static void explain(struct step *steps, size_t count, unsigned seed, struct company *company)
{
    enum model_lie honest = MODEL_HONEST;
    struct outing outing = {.count = 0};
    fprintf(stderr, "seed %u (MOOLAH_FUZZ_SEED=%u): cutting %zu steps down\n", seed, fuzz.seed,
            count);
    bool alone = fails_alone(&honest, steps, count);
    if (alone)
        count = shrink_elements(steps, count, sizeof steps[0], fails_alone, &honest, 300);
    else if (company != NULL && fails_among(company, steps, count))
        count = shrink_elements(steps, count, sizeof steps[0], fails_among, company, 60);
    else
        fprintf(stderr, "it doesn't happen again\n");
    fprintf(stderr, "%zu steps fail %s:\n", count, alone ? "alone" : "among others");
    add_world(&outing, steps, count);
    for (int i = 0; !alone && company != NULL && i < company->count; i++)
        add_world(&outing, company->others[i], company->steps);
    if (world_walk(outing.worlds, outing.count) == 0)
        tell_walk(outing.worlds[0]);
    end_outing(&outing);
}

/* Which answers a walk has met. */
static void tally(const struct world *world)
{
    for (size_t i = 0; i < world->serials; i++) {
        char code[40] = "";
        char what[48];
        size_t k = 0;
        if (world->asked[i].answer == NULL)
            continue;
        if (world->asked[i].status >= 400)
            world_member(world->asked[i].answer, "code", code, sizeof code);
        snprintf(what, sizeof what, "%d %s", world->asked[i].status, code);
        while (k < fuzz.met_count && strcmp(fuzz.met[k].what, what) != 0)
            k++;
        assert_true(k < sizeof fuzz.met / sizeof fuzz.met[0]);
        snprintf(fuzz.met[k].what, sizeof fuzz.met[k].what, "%s", what);
        fuzz.met[k].times++;
        if (k == fuzz.met_count)
            fuzz.met_count++;
    }
}

static void tell_crowd(const struct world *world)
{
    fprintf(stderr, "MOOLAH_FUZZ_SEED=%u: %zu steps at once:\n", fuzz.seed, world->count);
    for (size_t i = 0; i < world->count && world->count <= 30; i++)
        world_tell(world, &world->steps[i], stderr);
    fprintf(stderr, "  which is wrong: %s\n", world->complaint);
}

static struct step *new_walk(size_t count, unsigned seed, bool crowded)
{
    struct step *steps = calloc(count, sizeof steps[0]);
    assert_non_null(steps);
    step_generate(steps, count, seed, crowded);
    return steps;
}

static void test_alone(void **state)
{
    (void)state;
    for (int i = 0; i < fuzz.walks; i++) {
        unsigned seed = fuzz.seed + (unsigned)i;
        struct step *steps = new_walk(fuzz.steps, seed, false);
        struct outing outing = {.count = 0};
        add_world(&outing, steps, fuzz.steps);
        bool failed = world_walk(outing.worlds, 1) >= 0;
        size_t count = failed ? outing.worlds[0]->at + 1 : fuzz.steps;
        tally(outing.worlds[0]);
        if (failed)
            tell_last(outing.worlds[0]);
        end_outing(&outing);
        if (failed)
            explain(steps, count, seed, NULL);
        free(steps);
        assert_false(failed);
    }
}

/* Every world has its own users, and all of them the same batches, fees and settlement. */
static void test_many(void **state)
{
    struct company company = {.steps = fuzz.steps};
    struct step *walks[MANY];
    struct outing outing = {.count = 0};
    (void)state;
    for (int i = 0; i < MANY; i++) {
        walks[i] = new_walk(fuzz.steps, fuzz.seed + 1000 + (unsigned)i, false);
        add_world(&outing, walks[i], fuzz.steps);
    }
    int failed = world_walk(outing.worlds, MANY);
    size_t count = failed < 0 ? 0 : outing.worlds[failed]->at + 1;
    for (int i = 0; i < MANY; i++)
        tally(outing.worlds[i]);
    if (failed >= 0)
        tell_last(outing.worlds[failed]);
    end_outing(&outing);
    for (int i = 0; i < MANY && failed >= 0; i++)
        if (i != failed)
            company.others[company.count++] = walks[i];
    if (failed >= 0)
        explain(walks[failed], count, fuzz.seed + 1000 + (unsigned)failed, &company);
    for (int i = 0; i < MANY; i++)
        free(walks[i]);
    assert_int_equal(failed, -1);
}

static bool fails_crowded(void *owner, const void *steps, size_t count)
{
    bool good = true;
    for (int i = 0; i < *(const int *)owner && good; i++) {
        struct world *world = world_new(fuzz.stack, steps, count, true);
        good = crowd_walk(world);
        world_free(world);
    }
    return !good;
}

/* Many at once in the same wallets. What depends on who is first may not happen again. */
static void test_crowded(void **state)
{
    const size_t count = 2 * fuzz.steps;
    struct step *steps = new_walk(count, fuzz.seed + 2000, true);
    struct world *world = world_new(fuzz.stack, steps, count, true);
    int repeats = 3;
    (void)state;
    bool good = crowd_walk(world);
    tally(world);
    if (!good)
        tell_crowd(world);
    world_free(world);
    if (!good && fails_crowded(&repeats, steps, count)) {
        size_t left = shrink_elements(steps, count, sizeof steps[0], fails_crowded, &repeats, 40);
        world = world_new(fuzz.stack, steps, left, true);
        for (int i = 0; i < 10 && crowd_walk(world); i++) {
            world_free(world);
            world = world_new(fuzz.stack, steps, left, true);
        }
        tell_crowd(world);
        world_free(world);
    }
    free(steps);
    assert_true(good);
}

/* A model that lies is found out, and the walk cut down to what it takes. */
static void find_lie(enum model_lie lie, unsigned last_kinds)
{
    for (unsigned seed = 1; seed < 20; seed++) {
        struct step *steps = new_walk(60, seed, false);
        struct outing outing = {.lie = lie};
        add_world(&outing, steps, 60);
        bool failed = world_walk(outing.worlds, 1) >= 0;
        size_t count = outing.worlds[0]->at + 1;
        end_outing(&outing);
        if (failed)
            count = shrink_elements(steps, count, sizeof steps[0], fails_alone, &lie, 200);
        enum step_kind kind = steps[failed ? count - 1 : 0].kind;
        free(steps);
        if (!failed)
            continue;
        assert_in_range(count, 1, 3);
        assert_int_not_equal(last_kinds >> kind & 1U, 0);
        return;
    }
    fail_msg("it wasn't found");
}

static void test_lies_are_found(void **state)
{
    (void)state;
    /* deposit, transfer, refund */
    find_lie(MODEL_FEES_COME_BACK, 1U << STEP_REFUND);
    /* freeze, deposit; or deposit, freeze, transfer */
    find_lie(MODEL_FROZEN_ARE_DEAF,
             1U << STEP_DEPOSIT | 1U << STEP_TRANSFER | 1U << STEP_HOLD | 1U << STEP_BULK);
}

/* Fails with a 7 before a 40, and something behind them. */
static bool fails_with_both(void *owner, const void *elements, size_t count)
{
    const int *numbers = elements;
    bool seven = false;
    *(int *)owner += 1;
    for (size_t i = 0; i + 1 < count; i++) {
        seven = seven || numbers[i] == 7;
        if (seven && numbers[i] == 40)
            return true;
    }
    return false;
}

static void test_shrinking(void **state)
{
    int numbers[100];
    int asked = 0;
    (void)state;
    for (int i = 0; i < 100; i++)
        numbers[i] = i;
    size_t left = shrink_elements(numbers, 100, sizeof numbers[0], fails_with_both, &asked, 1000);
    assert_int_equal(left, 3);
    assert_int_equal(numbers[0], 7);
    assert_int_equal(numbers[1], 40);
    assert_in_range(asked, 1, 60);
    asked = 0; /* few tries: not the shortest, but one that fails */
    for (int i = 0; i < 100; i++)
        numbers[i] = i;
    left = shrink_elements(numbers, 100, sizeof numbers[0], fails_with_both, &asked, 2);
    assert_int_equal(asked, 2);
    assert_true(left < 100 && fails_with_both(&asked, numbers, left));
}

static void test_verified(void **state)
{
    (void)state;
    assert_int_equal(stack_shell(fuzz.stack, "$MOOLAH ledger verify --redis \"$REDIS\""), 0);
    for (size_t i = 0; i < fuzz.met_count; i++)
        printf("  %6ld %s\n", fuzz.met[i].times, fuzz.met[i].what);
}

static int set_up(void **state)
{
    const char *seed = getenv("MOOLAH_FUZZ_SEED");
    const char *steps = getenv("MOOLAH_FUZZ_STEPS");
    const char *walks = getenv("MOOLAH_FUZZ_WALKS");
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    fuzz.seed = seed == NULL ? 1 : (unsigned)strtoul(seed, NULL, 10);
    fuzz.steps = steps == NULL ? 150 : strtoul(steps, NULL, 10);
    fuzz.walks = walks == NULL ? 4 : (int)strtol(walks, NULL, 10);
    printf("  seed %u\n", fuzz.seed);
    world_write_rules(fuzz.rules);
    fuzz.stack = stack_start(fuzz.rules);
    cast_settle_clock(fuzz.stack);
    return 0;
}

static int tear_down(void **state)
{
    char command[100];
    (void)state;
    for (int i = 0; i < MANY; i++)
        close_clients(fuzz.clients[i]);
    snprintf(command, sizeof command, "rm -r %s", fuzz.rules);
    assert_int_equal(stack_shell(fuzz.stack, command), 0);
    stack_stop(fuzz.stack);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shrinking), cmocka_unit_test(test_lies_are_found),
        cmocka_unit_test(test_alone),     cmocka_unit_test(test_many),
        cmocka_unit_test(test_crowded),   cmocka_unit_test(test_verified),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
