#include "scripting/shelf.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/memory.h"
#include "scripting/bundle.h"

/* Two places: the one that counts is never written. A number's parity says which it is, so the last
 * step of shelf_put, one store, makes the new bundle count. What is never written takes no memory.
 */
struct place {
    size_t length;
    char image[BUNDLE_SIZE_MAX];
};

struct shelf {
    pthread_mutex_t lock; /* robust: whoever dies with it gives it up */
    uint64_t number;
    struct place places[2];
};

struct shelf *shelf_new(void)
{
    pthread_mutexattr_t attributes;
    struct shelf *shelf = mmap(NULL, sizeof *shelf, PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (shelf == MAP_FAILED)
        return NULL;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    int fault = pthread_mutex_init(&shelf->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    assert(fault == 0);
    return shelf;
}

void shelf_free(struct shelf *shelf)
{
    if (shelf == NULL)
        return;
    pthread_mutex_destroy(&shelf->lock);
    munmap(shelf, sizeof *shelf);
}

static void lock(struct shelf *shelf)
{
    int fault = pthread_mutex_lock(&shelf->lock);
    if (fault == EOWNERDEAD) /* what it wrote doesn't count */
        fault = pthread_mutex_consistent(&shelf->lock);
    assert(fault == 0);
}

static struct slice image_of(const struct shelf *shelf)
{
    const struct place *place = &shelf->places[shelf->number % 2];
    return (struct slice){place->image, place->length};
}

uint64_t shelf_put(struct shelf *shelf, const struct bundle *bundle)
{
    struct slice image = bundle_image(bundle);
    assert(image.length > 0 && image.length <= BUNDLE_SIZE_MAX);
    lock(shelf);
    uint64_t number = shelf->number;
    if (number == 0 || !slice_equal(image_of(shelf), image)) {
        struct place *place = &shelf->places[++number % 2];
        memcpy(place->image, image.at, image.length);
        place->length = image.length;
        __atomic_store_n(&shelf->number, number, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&shelf->lock);
    return number;
}

uint64_t shelf_number(const struct shelf *shelf)
{
    return __atomic_load_n(&shelf->number, __ATOMIC_ACQUIRE);
}

/* Copied under the lock, compiled without it. */
struct bundle *shelf_take(struct shelf *shelf, uint64_t *number, struct bundle_report *report)
{
    struct bundle *bundle = NULL;
    report->count = 0;
    lock(shelf);
    struct slice image = image_of(shelf);
    *number = shelf->number;
    char *copy = *number == 0 ? NULL : memory_alloc(image.length);
    if (copy != NULL)
        memcpy(copy, image.at, image.length);
    pthread_mutex_unlock(&shelf->lock);
    if (copy != NULL)
        bundle = bundle_from_image((struct slice){copy, image.length}, report);
    else if (*number > 0)
        bundle_report_add(report, "rules", 0, 0, "out of memory");
    memory_free(copy);
    return bundle;
}
