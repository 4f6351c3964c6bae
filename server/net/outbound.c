#include "net/outbound.h"

#include <assert.h>
#include <curl/curl.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "net/public_address.h"

/* Certificates by their hashes, looked up one by one: parsing the whole bundle for each connection
 * costs the loop 20 ms. */
#define SYSTEM_AUTHORITIES "/etc/ssl/certs"

#define RESULTS (OUTBOUND_BROKEN + 1)

struct outbound {
    struct ev_loop *loop;
    struct outbound_settings settings;
    CURLM *multi;
    ev_timer timer;
    struct outbound_work *works; /* all that run */
    int running;
};

/* One transfer's libcurl side. */
struct outbound_work {
    struct outbound *outbound;
    struct outbound_transfer *transfer;
    CURL *easy;
    struct curl_slist *headers;
    int64_t began;
    bool refused; /* an address, at least one */
    bool tried;   /* another one */
    bool too_large;
    bool sent;
    struct outbound_work *next, *previous;
};

/* A socket that libcurl wants watched. */
struct watch {
    ev_io io;
    struct outbound *outbound;
};

static struct {
    metric running;
    metric results[RESULTS];
    metric duration;
} metrics;

const char *outbound_result_name(enum outbound_result result)
{
    static const char *const names[RESULTS] = {
        [OUTBOUND_ANSWERED] = "answered",
        [OUTBOUND_BAD_URL] = "bad_url",
        [OUTBOUND_REFUSED_ADDRESS] = "refused_address",
        [OUTBOUND_DNS] = "dns",
        [OUTBOUND_CONNECT] = "connect",
        [OUTBOUND_TLS] = "tls",
        [OUTBOUND_TIMEOUT] = "timeout",
        [OUTBOUND_TOO_LARGE] = "too_large",
        [OUTBOUND_BROKEN] = "broken",
    };
    return names[result];
}

bool outbound_prepare(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

void outbound_register_metrics(void)
{
    char labels[64];
    metrics.running = metrics_register(METRIC_GAUGE, "moolah_outbound_running", "",
                                       "Requests to other servers on their way");
    metrics.duration = metrics_register(METRIC_HISTOGRAM, "moolah_outbound_seconds", "",
                                        "From starting a request to another server to its end");
    for (int i = 0; i < RESULTS; i++) {
        snprintf(labels, sizeof labels, "result=\"%s\"",
                 outbound_result_name((enum outbound_result)i));
        metrics.results[i] = metrics_register(METRIC_COUNTER, "moolah_outbound_requests_total",
                                              labels, "Requests to other servers, by their end");
    }
}

static void count_running(struct outbound *o, int change)
{
    o->running += change;
    metrics_set(metrics.running, o->running);
}

static bool is_allowed(const struct outbound *o, const struct inet *address)
{
    for (size_t i = 0; i < o->settings.allowed_count; i++)
        if (inet_in_network(address, &o->settings.allowed[i]))
            return true;
    return public_address_is(address);
}

/* A name's addresses are looked at when it's asked. libcurl makes dotted quads of 127.1 and
 * 0x7f000001 here as it does there. */
static bool is_allowed_host(const struct outbound *o, const char *host)
{
    struct inet_network network;
    struct slice text = slice_of(host);
    if (text.length > 2 && text.at[0] == '[')
        text = (struct slice){text.at + 1, text.length - 2};
    return !inet_parse_network(text, &network) || is_allowed(o, &network.address);
}

bool outbound_may_ask(const struct outbound *outbound, const char *url)
{
    char *host = NULL;
    CURLU *parts = curl_url();
    bool good = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                is_allowed_host(outbound, host);
    curl_free(host);
    curl_url_cleanup(parts);
    return good;
}

/* libcurl connects to this very address next. */
static curl_socket_t on_open_socket(void *owner, curlsocktype purpose,
                                    struct curl_sockaddr *address)
{
    struct outbound_work *work = owner;
    struct inet inet;
    if (purpose != CURLSOCKTYPE_IPCXN || !inet_from_socket(&address->addr, &inet) ||
        !is_allowed(work->outbound, &inet)) {
        work->refused = true;
        return CURL_SOCKET_BAD;
    }
    work->tried = true;
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static size_t on_body(char *data, size_t size, size_t count, void *owner)
{
    struct outbound_work *work = owner;
    struct outbound_transfer *t = work->transfer;
    size_t length = size * count;
    if (t->answer.length + length > t->answer_max) {
        work->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    bytes_add(&t->answer, data, length);
    return t->answer.failed ? CURL_WRITEFUNC_ERROR : length;
}

/* Told of what leaves: the one reliable sign that something has. */
static int on_debug(CURL *easy, curl_infotype type, char *data, size_t length, void *owner)
{
    struct outbound_work *work = owner;
    (void)easy;
    (void)data;
    (void)length;
    if (type == CURLINFO_HEADER_OUT || type == CURLINFO_DATA_OUT)
        work->sent = true;
    return 0;
}

static enum outbound_result result_of(const struct outbound_work *work, CURLcode code)
{
    switch ((int)code) { /* libcurl has a hundred: the others mean that the connection broke */
    case CURLE_OK:
        return OUTBOUND_ANSWERED;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_LOGIN_DENIED: /* a user name in the URL */
        return OUTBOUND_BAD_URL;
    case CURLE_COULDNT_RESOLVE_HOST:
        return OUTBOUND_DNS;
    case CURLE_COULDNT_CONNECT:
        return work->refused && !work->tried ? OUTBOUND_REFUSED_ADDRESS : OUTBOUND_CONNECT;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return OUTBOUND_TLS;
    case CURLE_OPERATION_TIMEDOUT:
        return OUTBOUND_TIMEOUT;
    default:
        return work->too_large ? OUTBOUND_TOO_LARGE : OUTBOUND_BROKEN;
    }
}

static void unlink_work(struct outbound_work *work)
{
    if (work->previous != NULL)
        work->previous->next = work->next;
    else
        work->outbound->works = work->next;
    if (work->next != NULL)
        work->next->previous = work->previous;
}

static void release_work(struct outbound_work *work)
{
    if (work->easy != NULL)
        curl_easy_cleanup(work->easy);
    curl_slist_free_all(work->headers);
    memory_free(work);
}

static void finish(struct outbound_work *work, CURLcode code)
{
    struct outbound_transfer *t = work->transfer;
    curl_off_t began_sending = 0;
    long status = 0;
    curl_multi_remove_handle(work->outbound->multi, work->easy);
    unlink_work(work);
    count_running(work->outbound, -1);
    curl_easy_getinfo(work->easy, CURLINFO_PRETRANSFER_TIME_T, &began_sending);
    curl_easy_getinfo(work->easy, CURLINFO_RESPONSE_CODE, &status);
    t->result = result_of(work, code);
    t->maybe_sent = work->sent || began_sending > 0;
    t->status = t->result == OUTBOUND_ANSWERED || t->result == OUTBOUND_TOO_LARGE ? (int)status : 0;
    t->took_us = clock_monotonic() - work->began;
    if (t->result == OUTBOUND_REFUSED_ADDRESS)
        snprintf(t->error, sizeof t->error, "the name's addresses are not public ones");
    else if (code != CURLE_OK && t->error[0] == '\0')
        snprintf(t->error, sizeof t->error, "%s", curl_easy_strerror(code));
    metrics_add(metrics.results[t->result], 1);
    metrics_observe(metrics.duration, (uint64_t)t->took_us);
    struct bytes answer = t->answer;
    t->done(t); /* and the transfer may be gone, or started again */
    bytes_release(&answer);
    release_work(work);
}

static void finish_all(struct outbound *o)
{
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(o->multi, &left)) != NULL) {
        struct outbound_work *work = NULL;
        CURLcode code = message->data.result; /* the message goes with its handle */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&work);
        finish(work, code);
    }
}

static void act(struct outbound *o, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(o->multi, fd, events, &running);
    finish_all(o);
}

static void on_io(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct watch *watch = watcher->data;
    (void)loop;
    act(watch->outbound, watcher->fd,
        ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
            ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0));
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
    (void)loop;
    (void)events;
    act(watcher->data, CURL_SOCKET_TIMEOUT, 0);
}

static int on_set_timer(CURLM *multi, long timeout_ms, void *owner)
{
    struct outbound *o = owner;
    (void)multi;
    ev_timer_stop(o->loop, &o->timer);
    if (timeout_ms < 0)
        return 0;
    ev_now_update(o->loop); /* or a long turn makes it fire early, and libcurl asks again */
    ev_timer_set(&o->timer, (double)timeout_ms / 1000., 0.);
    ev_timer_start(o->loop, &o->timer);
    return 0;
}

static int on_set_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *known)
{
    struct outbound *o = owner;
    struct watch *watch = known;
    (void)easy;
    if (watch != NULL)
        ev_io_stop(o->loop, &watch->io);
    if (what == CURL_POLL_REMOVE) {
        memory_free(watch);
        return 0;
    }
    if (watch == NULL) {
        watch = memory_alloc(sizeof *watch);
        if (watch == NULL)
            return -1; /* libcurl fails the transfer */
        watch->outbound = o;
        ev_init(&watch->io, on_io);
        watch->io.data = watch;
        curl_multi_assign(o->multi, fd, watch);
    }
    ev_io_set(&watch->io, fd,
              ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                  ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));
    ev_io_start(o->loop, &watch->io);
    return 0;
}

struct outbound *outbound_new(struct ev_loop *loop, const struct outbound_settings *settings)
{
    struct outbound *o = memory_alloc(sizeof *o);
    if (o == NULL)
        return NULL;
    o->loop = loop;
    o->settings = *settings;
    ev_init(&o->timer, on_timer);
    o->timer.data = o;
    o->multi = curl_multi_init();
    if (o->multi == NULL) {
        memory_free(o);
        return NULL;
    }
    curl_multi_setopt(o->multi, CURLMOPT_SOCKETFUNCTION, on_set_socket);
    curl_multi_setopt(o->multi, CURLMOPT_SOCKETDATA, o);
    curl_multi_setopt(o->multi, CURLMOPT_TIMERFUNCTION, on_set_timer);
    curl_multi_setopt(o->multi, CURLMOPT_TIMERDATA, o);
    curl_multi_setopt(o->multi, CURLMOPT_MAXCONNECTS, (long)settings->transfers_max);
    return o;
}

void outbound_free(struct outbound *o)
{
    if (o == NULL)
        return;
    while (o->works != NULL)
        outbound_cancel(o->works->transfer);
    curl_multi_cleanup(o->multi);
    ev_timer_stop(o->loop, &o->timer);
    memory_free(o);
}

static bool add_header(struct outbound_work *work, const struct outbound_header *header)
{
    struct bytes line;
    if (header->value.length == 0)
        return true;
    assert(memchr(header->value.at, '\n', header->value.length) == NULL &&
           memchr(header->value.at, '\r', header->value.length) == NULL);
    bytes_init(&line, NULL);
    bytes_add_text(&line, header->name);
    bytes_add_text(&line, ": ");
    bytes_add_slice(&line, header->value);
    bytes_add_char(&line, '\0');
    struct curl_slist *longer = line.failed ? NULL : curl_slist_append(work->headers, line.at);
    bytes_release(&line);
    if (longer != NULL)
        work->headers = longer;
    return longer != NULL;
}

static bool add_headers(struct outbound_work *work)
{
    static const struct outbound_header ours = {"User-Agent", {"moolah", 6}};
    const struct outbound_transfer *t = work->transfer;
    assert(t->header_count <= OUTBOUND_HEADERS_MAX);
    bool good = add_header(work, &ours);
    for (size_t i = 0; good && i < t->header_count; i++)
        good = add_header(work, &t->headers[i]);
    struct curl_slist *longer = good ? curl_slist_append(work->headers, "Expect:") : NULL;
    if (longer == NULL)
        return false;
    work->headers = longer;
    return curl_easy_setopt(work->easy, CURLOPT_HTTPHEADER, work->headers) == CURLE_OK;
}

#define SET(option, value) good = good && curl_easy_setopt(easy, (option), (value)) == CURLE_OK

/* What strangers' URLs must not get by. */
static bool restrict_transfer(const struct outbound *o, CURL *easy)
{
    bool good = true;
    SET(CURLOPT_PROTOCOLS_STR, o->settings.allow_http ? "https,http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CAPATH, SYSTEM_AUTHORITIES);
    SET(CURLOPT_CAINFO, o->settings.ca_file);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* a name being looked up isn't waited for when its time is up */
    return good;
}

static bool set_question(const struct outbound_transfer *t, CURL *easy)
{
    bool good = true;
    SET(CURLOPT_URL, t->url);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)(t->connect_timeout_us / 1000));
    SET(CURLOPT_TIMEOUT_MS, (long)(t->timeout_us / 1000));
    if (t->body.at != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.length);
        SET(CURLOPT_POSTFIELDS, t->body.at);
    }
    SET(CURLOPT_CUSTOMREQUEST, t->method);
    return good;
}

static bool set_callbacks(struct outbound_work *work, CURL *easy)
{
    bool good = true;
    SET(CURLOPT_PRIVATE, (void *)work);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, (void *)work);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, (void *)work);
    SET(CURLOPT_DEBUGFUNCTION, on_debug);
    SET(CURLOPT_DEBUGDATA, (void *)work);
    SET(CURLOPT_VERBOSE, 1L);
    SET(CURLOPT_ERRORBUFFER, (char *)NULL);
    return good;
}

static struct outbound_work *new_work(struct outbound *o, struct outbound_transfer *t)
{
    struct outbound_work *work = memory_alloc(sizeof *work);
    if (work == NULL)
        return NULL;
    work->outbound = o;
    work->transfer = t;
    work->began = clock_monotonic();
    work->easy = curl_easy_init();
    if (work->easy != NULL && restrict_transfer(o, work->easy) && set_question(t, work->easy) &&
        set_callbacks(work, work->easy) && add_headers(work))
        return work;
    release_work(work);
    return NULL;
}

bool outbound_start(struct outbound *o, struct outbound_transfer *t)
{
    assert(t->connect_timeout_us > 0 && t->timeout_us > 0 && t->done != NULL);
    t->error[0] = '\0';
    if (o->running >= o->settings.transfers_max)
        return false;
    struct outbound_work *work = new_work(o, t);
    if (work == NULL)
        return false;
    if (curl_multi_add_handle(o->multi, work->easy) != CURLM_OK) {
        release_work(work);
        return false;
    }
    t->work = work;
    bytes_init(&t->answer, NULL);
    work->next = o->works;
    if (o->works != NULL)
        o->works->previous = work;
    o->works = work;
    count_running(o, 1);
    return true;
}

void outbound_cancel(struct outbound_transfer *t)
{
    struct outbound_work *work = t->work;
    assert(work != NULL);
    curl_multi_remove_handle(work->outbound->multi, work->easy);
    unlink_work(work);
    count_running(work->outbound, -1);
    bytes_release(&t->answer);
    t->work = NULL;
    release_work(work);
}

bool outbound_answer_header(const struct outbound_transfer *t, const char *name, char *value,
                            size_t size)
{
    struct curl_header *header = NULL;
    assert(t->work != NULL);
    if (curl_easy_header(t->work->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return false;
    snprintf(value, size, "%s", header->value);
    return true;
}

int outbound_running(const struct outbound *o)
{
    return o->running;
}
