#include "support/link.h"

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { PAIRS = 64, PIECE = 65536, LOOK_MS = 5 };

/* What one side has said and is not passed on yet. */
struct stream {
    int from;
    int to;
    unsigned char *data;
    size_t length;
    bool begun; /* PostgreSQL: the startup message, which has no type, is behind us */
};

struct pair {
    struct stream sides[2]; /* by enum link_side */
    bool open;
    bool stalled;
};

struct link {
    enum link_protocol protocol;
    char path[108];
    char target[108];
    int listener;
    pthread_t thread;
    pthread_mutex_t lock; /* over all below */
    bool ending;
    bool cutting;
    bool still;
    bool refusing;
    bool armed;
    bool struck;
    enum link_side side;
    enum link_fault fault;
    long left;
    struct pair pairs[PAIRS];
};

static void must(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    abort();
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    must(strlen(path) < sizeof address.sun_path, "link: path too long");
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static void close_pair(struct pair *pair)
{
    close(pair->sides[LINK_CLIENT].from);
    close(pair->sides[LINK_SERVER].from);
    free(pair->sides[LINK_CLIENT].data);
    free(pair->sides[LINK_SERVER].data);
    memset(pair, 0, sizeof *pair);
}

static void take_client(struct link *link)
{
    int client = accept(link->listener, NULL, NULL);
    const struct sockaddr_un target = address_of(link->target);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct pair *pair = link->pairs;
    while (pair < link->pairs + PAIRS && pair->open)
        pair++;
    must(pair < link->pairs + PAIRS, "link: too many connections");
    if (link->refusing || connect(server, (const struct sockaddr *)&target, sizeof target) != 0) {
        close(client);
        close(server);
        return;
    }
    pair->open = true;
    pair->sides[LINK_CLIENT] = (struct stream){.from = client, .to = server};
    pair->sides[LINK_SERVER] = (struct stream){.from = server, .to = client, .begun = true};
}

/* The first whole message's length; 0: it isn't whole yet. */
static size_t message_length(const struct link *link, const struct stream *stream)
{
    const unsigned char *at = stream->data + (stream->begun ? 1 : 0);
    size_t length;
    if (link->protocol == LINK_RAW)
        return stream->length;
    if (stream->length < 5)
        return 0;
    length = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    length += stream->begun ? 1 : 0;
    return length <= stream->length ? length : 0;
}

static bool is_bind(const struct stream *stream)
{
    return stream->begun && stream->data[0] == 'B';
}

/* Is it this one's turn? */
static bool strikes(struct link *link, enum link_side side, const struct stream *stream)
{
    if (!link->armed || side != link->side || (link->fault == LINK_GARBLE && !is_bind(stream)))
        return false;
    if (link->left-- > 0)
        return false;
    link->armed = false;
    link->struck = true;
    return true;
}

static void pass_on(struct stream *stream, size_t length, size_t consumed)
{
    size_t sent = 0;
    while (sent < length) {
        ssize_t n = send(stream->to, stream->data + sent, length - sent, MSG_NOSIGNAL);
        if (n <= 0)
            break; /* its end is seen at the next read */
        sent += (size_t)n;
    }
    memmove(stream->data, stream->data + consumed, stream->length - consumed);
    stream->length -= consumed;
}

/* False: the pair is closed. */
static bool pass_message(struct link *link, struct pair *pair, enum link_side side, size_t length)
{
    struct stream *stream = &pair->sides[side];
    if (strikes(link, side, stream)) {
        if (link->fault == LINK_TEAR)
            pass_on(stream, length / 2, length);
        if (link->fault == LINK_HANG_UP || link->fault == LINK_TEAR) {
            close_pair(pair);
            return false;
        }
        if (link->fault == LINK_STALL) {
            pair->stalled = true;
            return true;
        }
        stream->data[6] ^= 0x15; /* behind type, length and the empty portal name */
    }
    stream->begun = true;
    pass_on(stream, length, length);
    return true;
}

static void pump(struct link *link, struct pair *pair, enum link_side side)
{
    struct stream *stream = &pair->sides[side];
    size_t length;
    unsigned char *more = realloc(stream->data, stream->length + PIECE);
    must(more != NULL, "link: realloc");
    stream->data = more;
    ssize_t n = recv(stream->from, stream->data + stream->length, PIECE, 0);
    if (n <= 0) {
        close_pair(pair);
        return;
    }
    stream->length += (size_t)n;
    while (!pair->stalled && (length = message_length(link, stream)) > 0)
        if (!pass_message(link, pair, side, length))
            return;
}

/* What there is to listen to now; `of` says whose each is. */
static nfds_t gather(struct link *link, struct pollfd *fds, int *of)
{
    nfds_t count = 0;
    fds[count] = (struct pollfd){link->listener, POLLIN, 0};
    of[count++] = -1;
    for (int i = 0; i < 2 * PAIRS; i++) {
        struct pair *pair = &link->pairs[i / 2];
        if (link->cutting && pair->open)
            close_pair(pair);
        if (!pair->open || link->still)
            continue;
        /* of a stalled one only the end is of interest */
        fds[count] = (struct pollfd){pair->sides[i % 2].from,
                                     (short)(pair->stalled ? POLLRDHUP : POLLIN), 0};
        of[count++] = i;
    }
    link->cutting = false;
    return count;
}

static void attend(struct link *link, const struct pollfd *fds, const int *of, nfds_t count)
{
    for (nfds_t i = 1; i < count; i++) {
        struct pair *pair = &link->pairs[of[i] / 2];
        if (fds[i].revents == 0 || !pair->open || link->still || link->cutting)
            continue;
        if (!pair->stalled)
            pump(link, pair, (enum link_side)(of[i] % 2));
        else if ((fds[i].revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
            close_pair(pair);
    }
    if (fds[0].revents != 0)
        take_client(link);
}

static void *run(void *user)
{
    struct link *link = user;
    struct pollfd fds[1 + 2 * PAIRS];
    int of[1 + 2 * PAIRS];
    bool ending = false;
    while (!ending) {
        pthread_mutex_lock(&link->lock);
        nfds_t count = gather(link, fds, of);
        pthread_mutex_unlock(&link->lock);
        poll(fds, count, LOOK_MS);
        pthread_mutex_lock(&link->lock);
        attend(link, fds, of, count);
        ending = link->ending;
        pthread_mutex_unlock(&link->lock);
    }
    return NULL;
}

struct link *link_new(const char *path, const char *target, enum link_protocol protocol)
{
    struct link *link = calloc(1, sizeof *link);
    const struct sockaddr_un address = address_of(path);
    must(link != NULL, "link: calloc");
    link->protocol = protocol;
    snprintf(link->path, sizeof link->path, "%s", path);
    snprintf(link->target, sizeof link->target, "%s", target);
    unlink(path);
    link->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(bind(link->listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
             listen(link->listener, PAIRS) == 0,
         path);
    pthread_mutex_init(&link->lock, NULL);
    must(pthread_create(&link->thread, NULL, run, link) == 0, "link: thread");
    return link;
}

void link_free(struct link *link)
{
    pthread_mutex_lock(&link->lock);
    link->ending = true;
    pthread_mutex_unlock(&link->lock);
    pthread_join(link->thread, NULL);
    for (int i = 0; i < PAIRS; i++)
        if (link->pairs[i].open)
            close_pair(&link->pairs[i]);
    close(link->listener);
    unlink(link->path);
    pthread_mutex_destroy(&link->lock);
    free(link);
}

void link_arm(struct link *link, enum link_side side, long n, enum link_fault fault)
{
    pthread_mutex_lock(&link->lock);
    link->armed = true;
    link->struck = false;
    link->side = side;
    link->left = n;
    link->fault = fault;
    pthread_mutex_unlock(&link->lock);
}

bool link_struck(struct link *link)
{
    pthread_mutex_lock(&link->lock);
    bool struck = link->struck;
    pthread_mutex_unlock(&link->lock);
    return struck;
}

static void set(struct link *link, bool *what, bool to)
{
    pthread_mutex_lock(&link->lock);
    *what = to;
    pthread_mutex_unlock(&link->lock);
}

void link_disarm(struct link *link)
{
    set(link, &link->armed, false);
}

void link_cut(struct link *link)
{
    set(link, &link->cutting, true);
}

void link_stand_still(struct link *link, bool still)
{
    set(link, &link->still, still);
}

void link_refuse(struct link *link, bool refuse)
{
    set(link, &link->refusing, refuse);
}
