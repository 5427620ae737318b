// SPDX-License-Identifier: MIT
#include "api/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <utlist.h>

#include "api/breaker.h"
#include "api/pace.h"
#include "api/page.h"
#include "cdrfs_version.h"

#define CONNECT_TIMEOUT_MS 10000L
#define NO_PROGRESS_S 15L
#define PROGRESS_BYTES_S 100L /* fewer than that are none */
#define POLL_MOST_MS 60000
#define REFUSED_RETRY_MS 1000
#define RECENT 8 /* answers that count for the latency of late */

const int http_latency_ms[HTTP_LATENCIES - 1] = {10, 50, 100, 250, 500, 1000, 2500, 5000, 10000};

/* Written by the network thread, read by any. */
struct counters {
    atomic_uint_least64_t sent, retries, failed, unsent, bytes;
    atomic_uint_least64_t codes[HTTP_CODES];
    atomic_uint_least64_t latency[HTTP_LATENCIES], latency_us;
    atomic_int_least64_t recent_us, running, jobs;
    _Atomic double rate;
};

struct job {
    char *url;
    const struct urgency *urgency;
    http_done_fn *done;
    void *arg;
    int attempt;
    bool refused; /* by a 401 or 403, once */
    bool probe;   /* leaves although requests are held back */
    bool left;    /* curl has sent this attempt before */
    struct http *http;
    int64_t not_before_ms;
    struct buf body;
    bool too_large;
    int64_t date;
    char retry_after[64];
    char request_id[64];
    char error[CURL_ERROR_SIZE]; /* curl's words for what went wrong */
    CURL *easy;
    struct job *prev, *next;
};

struct http {
    pthread_t thread;
    CURLM *multi;
    char *auth_id, *token, *ca_file;
    int connections;
    long timeout_ms;

    pthread_mutex_t lock; /* guards incoming and stop */
    struct job *incoming;
    bool stop;

    pthread_mutex_t sharing; /* guards these: who else spends the rate */
    int64_t (*may)(void *arg, int64_t now_ms);
    void *may_arg;

    /* The rest belongs to the thread. */
    struct pace pace;
    bool may_have; /* who shares the rate has let one go that is still here */
    struct job *waiting;
    struct job *running;
    int nrunning;
    uint32_t noise;
    struct breaker breaker;
    char *probe_url; /* of the request given up last */
    bool proven;     /* these credentials were accepted once */

    struct counters counters;
};

static void count(atomic_uint_least64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static int64_t now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void job_free(struct job *j)
{
    atomic_fetch_sub(&j->http->counters.jobs, 1);
    free(j->url);
    buf_release(&j->body);
    free(j);
}

static void finish_failed(struct http *h, struct job *j, const struct failure *f)
{
    count(&h->counters.failed, 1);
    if (j->probe)
        breaker_failed(&h->breaker, f, now_ms());
    j->done(j->arg, &(struct http_answer){.failure = *f});
    job_free(j);
}

static void cancel_all(struct http *h, struct job **list)
{
    struct failure f;
    struct job *j, *next;
    failure_set(&f, -ECANCELED, 0, "the mount is going away");
    DL_FOREACH_SAFE (*list, j, next) {
        DL_DELETE(*list, j);
        if (j->easy) {
            curl_multi_remove_handle(h->multi, j->easy);
            curl_easy_cleanup(j->easy);
        }
        finish_failed(h, j, &f);
    }
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct job *j = arg;
    buf_append(&j->body, p, size * n);
    j->too_large = buf_error(&j->body) == -EMSGSIZE;
    return buf_error(&j->body) ? 0 : size * n;
}

/* The value of a header line when it has this name; blanks cut off. */
static bool header_is(const char *line, size_t n, const char *name, char *out, size_t cap)
{
    size_t len = strlen(name);
    if (n <= len || strncasecmp(line, name, len) != 0 || line[len] != ':')
        return false;
    line += len + 1;
    n -= len + 1;
    while (n && *line == ' ')
        line++, n--;
    while (n && (line[n - 1] == '\r' || line[n - 1] == '\n' || line[n - 1] == ' '))
        n--;
    str_copy(out, cap, line, n);
    return true;
}

/* Retry-After is seconds or a date; a date counts from the server's own clock, so this waits until
 * all headers have come. -1 when it says nothing. */
static int parse_retry_after(const char *s, int64_t date)
{
    char *end;
    long v = strtol(s, &end, 10);
    if (end != s && *end == '\0')
        return v < 0 ? 0 : v > 86400 ? 86400 : (int)v;
    time_t t = curl_getdate(s, NULL);
    if (t < 0)
        return -1;
    int64_t wait = t - (date ? date : (int64_t)time(NULL));
    return wait < 0 ? 0 : wait > 86400 ? 86400 : (int)wait;
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct job *j = arg;
    char value[64];
    if (header_is(p, size * n, "Date", value, sizeof(value))) {
        time_t t = curl_getdate(value, NULL);
        j->date = t > 0 ? t : 0;
    } else if (header_is(p, size * n, "Retry-After", value, sizeof(value))) {
        memcpy(j->retry_after, value, sizeof(value));
    } else if (header_is(p, size * n, "X-Request-ID", value, sizeof(value))) {
        memcpy(j->request_id, value, sizeof(value));
    }
    return size * n;
}

/* 0, and a request may go out; or the milliseconds until it is worth asking again. */
static int64_t may_send(struct http *h, int64_t now)
{
    int64_t pause = 0;
    pthread_mutex_lock(&h->sharing);
    if (h->may && !h->may_have)
        pause = h->may(h->may_arg, now);
    pthread_mutex_unlock(&h->sharing);
    h->may_have = !pause; /* it stays ours until a request goes out */
    if (!pause)
        pause = pace_take(&h->pace, now);
    if (!pause)
        h->may_have = false;
    return pause;
}

/* curl sends a request anew by itself when a connection that it found open breaks at once. That is
 * one request more for the API, so it takes a token like any other, or is an attempt that failed.
 */
static int on_send(void *arg, char *to, char *from, int to_port, int from_port)
{
    struct job *j = arg;
    (void)to, (void)from, (void)to_port, (void)from_port;
    bool again = j->left;
    j->left = true;
    if (again && may_send(j->http, now_ms()) != 0)
        return CURL_PREREQFUNC_ABORT;
    count(&j->http->counters.sent, 1);
    if (again)
        count(&j->http->counters.codes[0], 1);
    return CURL_PREREQFUNC_OK;
}

static CURL *make_easy(struct http *h, struct job *j)
{
    CURL *e = curl_easy_init();
    if (!e)
        return NULL;
    bool tls = strncmp(j->url, "https:", 6) == 0;
    curl_easy_setopt(e, CURLOPT_URL, j->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(e, CURLOPT_USERNAME, h->auth_id);
    curl_easy_setopt(e, CURLOPT_PASSWORD, h->token);
    curl_easy_setopt(e, CURLOPT_NETRC, CURL_NETRC_IGNORED);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "cdrfs/" CDRFS_VERSION);
    curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, PROGRESS_BYTES_S);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, NO_PROGRESS_S);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, h->timeout_ms);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, j);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, j);
    curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_send);
    curl_easy_setopt(e, CURLOPT_PREREQDATA, j);
    curl_easy_setopt(e, CURLOPT_PRIVATE, j);
    j->error[0] = '\0';
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, j->error);
    if (h->ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, h->ca_file);
    if (tls)
        curl_easy_setopt(e, CURLOPT_PIPEWAIT, 1L);
    else
        curl_easy_setopt(e, CURLOPT_PROXY, ""); /* loopback only: never by way of a proxy */
    return e;
}

static void start(struct http *h, struct job *j)
{
    struct failure f;
    buf_release(&j->body);
    j->body = buf_make(BODY_MAX_BYTES);
    j->date = 0;
    j->retry_after[0] = '\0';
    j->attempt++;
    j->left = false;
    j->easy = make_easy(h, j);
    if (!j->easy || curl_multi_add_handle(h->multi, j->easy) != CURLM_OK) {
        curl_easy_cleanup(j->easy);
        failure_set(&f, -ENOMEM, 0, "no memory for a request");
        finish_failed(h, j, &f);
        return;
    }
    DL_APPEND(h->running, j);
    h->nrunning++;
    atomic_store(&h->counters.running, h->nrunning);
}

static int errno_of_curl(CURLcode rc)
{
    switch (rc) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
        return -EHOSTUNREACH;
    case CURLE_OPERATION_TIMEDOUT:
        return -ETIMEDOUT;
    case CURLE_BAD_CONTENT_ENCODING:
        return -EBADMSG;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static void failure_of_status(struct job *j, int http, struct failure *f)
{
    char message[120], id[64];
    page_error_text(j->body.p, j->body.len, message, sizeof(message), id, sizeof(id));
    failure_set(f, failure_errno_of_status(http), http, "HTTP %d%s%s", http, *message ? ": " : "",
                message);
    memcpy(f->api_id, *id ? id : j->request_id, sizeof(f->api_id));
}

static void judge(struct job *j, CURLcode rc, struct failure *f)
{
    long http = 0;
    curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &http);
    if (j->too_large)
        failure_set(f, -EBADMSG, (int)http, "the answer is larger than %u bytes", BODY_MAX_BYTES);
    else if (rc == CURLE_ABORTED_BY_CALLBACK)
        failure_set(f, -EIO, 0, "the connection broke");
    else if (rc != CURLE_OK)
        failure_set(f, errno_of_curl(rc), 0, "%s", *j->error ? j->error : curl_easy_strerror(rc));
    else if (http != 200)
        failure_of_status(j, (int)http, f);
    else
        memset(f, 0, sizeof(*f));
}

/* Feeds the pace with what the answer says about the API's mood. */
static void learn(struct http *h, const struct failure *f)
{
    if (f->http == 429 || f->http == 500)
        pace_slow_down(&h->pace);
    else if (!f->err)
        pace_speed_up(&h->pace);
    atomic_store(&h->counters.rate, h->pace.rate * h->pace.factor);
    h->proven = h->proven || !f->err;
}

/* Milliseconds until a request that failed is made again, -1 when that was the last attempt. */
static int64_t retry_in(struct http *h, struct job *j, const struct failure *f)
{
    if (f->err == -ENOMEM || breaker_is_open(&h->breaker))
        return -1;
    h->noise = h->noise * 1664525u + 1013904223u;
    if (f->err != -EACCES)
        return retry_delay_ms(j->attempt, parse_retry_after(j->retry_after, j->date),
                              f->http == 429, h->noise >> 8);
    bool first = h->proven && !j->refused;
    j->refused = true;
    return first ? REFUSED_RETRY_MS : -1;
}

static void make_again(struct http *h, struct job *j, int64_t wait)
{
    count(&h->counters.retries, 1);
    j->not_before_ms = now_ms() + wait;
    DL_PREPEND(h->waiting, j);
}

/* Tells the breaker how a request ended. */
static void note_end(struct http *h, struct job *j, const struct failure *f)
{
    bool answered = !f->err || f->http == 400 || f->http == 404;
    if (answered) {
        breaker_good(&h->breaker);
    } else if (f->err != -ENOMEM || j->probe) {
        breaker_failed(&h->breaker, f, now_ms());
        free(h->probe_url);
        h->probe_url = j->url;
        j->url = NULL;
    }
}

/* True when an answer of that status is for the one who asked to judge, and not just a failure. */
static bool is_answer(const struct failure *f)
{
    return f->err != -EACCES && f->err != -ENOMEM && f->http && f->http != 408 && f->http != 429 &&
           f->http < 500;
}

static void count_latency(struct counters *c, int64_t us)
{
    int i = 0;
    while (i < HTTP_LATENCIES - 1 && us > (int64_t)http_latency_ms[i] * 1000)
        i++;
    count(&c->latency[i], 1);
    count(&c->latency_us, (uint64_t)us);
    int64_t recent = atomic_load(&c->recent_us);
    atomic_store(&c->recent_us, recent ? recent + (us - recent) / RECENT : us);
}

/* Counts an attempt that ended. */
static void count_end(struct http *h, const struct job *j)
{
    long code = 0;
    curl_off_t us = 0;
    curl_easy_getinfo(j->easy, CURLINFO_RESPONSE_CODE, &code);
    curl_easy_getinfo(j->easy, CURLINFO_TOTAL_TIME_T, &us);
    if (!j->left) {
        count(&h->counters.unsent, 1);
        return;
    }
    count(&h->counters.codes[code > 0 && code < HTTP_CODES ? code : 0], 1);
    if (code > 0)
        count_latency(&h->counters, us);
}

static void complete(struct http *h, struct job *j, CURLcode rc)
{
    struct http_answer a = {0};
    judge(j, rc, &a.failure);
    count_end(h, j);
    curl_multi_remove_handle(h->multi, j->easy);
    curl_easy_cleanup(j->easy);
    j->easy = NULL;
    DL_DELETE(h->running, j);
    h->nrunning--;
    atomic_store(&h->counters.running, h->nrunning);
    learn(h, &a.failure);
    bool failed = a.failure.err && !is_answer(&a.failure);
    int64_t wait = retry_in(h, j, &a.failure);
    if (failed && wait >= 0) {
        make_again(h, j, wait);
        return;
    }
    count(&h->counters.bytes, j->body.len);
    a.failure.date = j->date;
    a.body = j->body.p ? j->body.p : "";
    a.n = j->body.len;
    a.may_again = wait >= 0;
    if (j->done(j->arg, &a) && a.may_again) {
        make_again(h, j, wait);
        return;
    }
    count(&h->counters.failed, a.failure.err != 0);
    note_end(h, j, &a.failure);
    job_free(j);
}

static void take_incoming(struct http *h)
{
    struct job *j, *next, *list;
    pthread_mutex_lock(&h->lock);
    list = h->incoming;
    h->incoming = NULL;
    pthread_mutex_unlock(&h->lock);
    DL_FOREACH_SAFE (list, j, next) {
        DL_DELETE(list, j);
        DL_APPEND(h->waiting, j);
    }
}

static bool on_probe(void *arg, const struct http_answer *answer)
{
    (void)arg, (void)answer; /* the breaker sees how it ends */
    return false;
}

/* Asks anew what was given up last; who waited for that has been told already. */
static void probe(struct http *h)
{
    struct job *j = h->probe_url ? calloc(1, sizeof(*j)) : NULL;
    if (!j) {
        breaker_failed(&h->breaker, &(struct failure){.err = -ENOMEM}, now_ms());
        return;
    }
    *j = (struct job){.url = h->probe_url, .done = on_probe, .probe = true, .http = h};
    atomic_fetch_add(&h->counters.jobs, 1);
    h->probe_url = NULL;
    DL_PREPEND(h->waiting, j);
}

/* The next job that may start now; otherwise lowers *wait to the time until one may. While requests
 * are held back, nobody waits for another attempt. */
static struct job *next_job(struct http *h, int64_t now, int64_t *wait)
{
    bool closed = h->breaker.state == BREAKER_CLOSED;
    struct job *j, *ahead = NULL;
    DL_FOREACH (h->waiting, j) {
        if (j->not_before_ms > now && closed) {
            if (j->not_before_ms - now < *wait)
                *wait = j->not_before_ms - now;
        } else if (!j->urgency || !atomic_load(&j->urgency->ahead)) {
            return j;
        } else if (!ahead) {
            ahead = j;
        }
    }
    return ahead;
}

static void drop_gone(struct http *h)
{
    struct job *j, *next;
    struct failure f;
    DL_FOREACH_SAFE (h->waiting, j, next) {
        if (!j->urgency || !atomic_load(&j->urgency->gone))
            continue;
        failure_set(&f, -ECANCELED, 0, "nobody waits for it any more");
        DL_DELETE(h->waiting, j);
        finish_failed(h, j, &f);
    }
}

/* True when j had to be held back, and is gone. */
static bool held_back(struct http *h, struct job *j, int64_t now)
{
    struct failure f;
    if (j->probe)
        return false;
    if (!breaker_holds(&h->breaker, now)) {
        j->probe = breaker_is_open(&h->breaker);
        return false;
    }
    breaker_failure(&h->breaker, &f);
    DL_DELETE(h->waiting, j);
    finish_failed(h, j, &f);
    return true;
}

void http_share_rate(struct http *h, int64_t (*may)(void *arg, int64_t now_ms), void *arg)
{
    pthread_mutex_lock(&h->sharing);
    h->may = may;
    h->may_arg = arg;
    pthread_mutex_unlock(&h->sharing);
}

/* Starts what may start; returns the milliseconds until more may. */
static int64_t start_ready(struct http *h)
{
    int64_t now = now_ms(), wait = breaker_probe_in(&h->breaker, now);
    struct job *j;
    if (wait > POLL_MOST_MS)
        wait = POLL_MOST_MS;
    if (breaker_wants_probe(&h->breaker, now))
        probe(h);
    drop_gone(h);
    while ((j = next_job(h, now, &wait))) {
        if (held_back(h, j, now))
            continue;
        if (h->nrunning >= h->connections)
            return POLL_MOST_MS;
        int64_t pause = may_send(h, now);
        if (pause)
            return pause;
        DL_DELETE(h->waiting, j);
        start(h, j);
    }
    return wait;
}

static void reap(struct http *h)
{
    CURLMsg *m;
    int left;
    while ((m = curl_multi_info_read(h->multi, &left))) {
        struct job *j = NULL;
        CURLcode rc = m->data.result;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &j);
        complete(h, j, rc);
    }
}

static bool stopping(struct http *h)
{
    pthread_mutex_lock(&h->lock);
    bool stop = h->stop;
    pthread_mutex_unlock(&h->lock);
    return stop;
}

static void *run(void *arg)
{
    struct http *h = arg;
    while (!stopping(h)) {
        int running;
        take_incoming(h);
        int64_t wait = start_ready(h);
        curl_multi_perform(h->multi, &running);
        int before = h->nrunning;
        reap(h);
        if (h->nrunning < before)
            wait = 0; /* a place is free */
        curl_multi_poll(h->multi, NULL, 0, (int)wait, NULL);
    }
    cancel_all(h, &h->running);
    take_incoming(h);
    cancel_all(h, &h->waiting);
    return NULL;
}

static void release(struct http *h)
{
    if (h->multi)
        curl_multi_cleanup(h->multi);
    pace_release(&h->pace);
    if (h->token)
        explicit_bzero(h->token, strlen(h->token));
    free(h->token);
    free(h->auth_id);
    free(h->ca_file);
    free(h->probe_url);
    pthread_mutex_destroy(&h->sharing);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

int http_create(const struct http_opts *o, struct http **ret)
{
    struct http *h = calloc(1, sizeof(*h));
    if (!h)
        return -ENOMEM;
    pthread_mutex_init(&h->lock, NULL);
    pthread_mutex_init(&h->sharing, NULL);
    h->connections = o->connections;
    h->timeout_ms = (long)o->timeout_ms;
    h->noise = (uint32_t)now_ms() ^ (uint32_t)(uintptr_t)h;
    h->auth_id = strdup(o->auth_id);
    h->token = strdup(o->token);
    h->ca_file = o->ca_file ? strdup(o->ca_file) : NULL;
    h->multi = curl_multi_init();
    bool copied = h->auth_id && h->token && (h->ca_file || !o->ca_file);
    if (!copied || !h->multi || pace_init(&h->pace, o->rate, now_ms()) < 0) {
        release(h);
        return -ENOMEM;
    }
    atomic_store(&h->counters.rate, o->rate);
    curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)o->connections);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)o->connections);
    if (pthread_create(&h->thread, NULL, run, h) != 0) {
        release(h);
        return -EAGAIN;
    }
    *ret = h;
    return 0;
}

void http_destroy(struct http *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    h->stop = true;
    pthread_mutex_unlock(&h->lock);
    curl_multi_wakeup(h->multi);
    pthread_join(h->thread, NULL);
    release(h);
}

void http_get(struct http *h, const char *url, const struct urgency *u, http_done_fn *done,
              void *arg)
{
    struct failure f;
    struct job *j = calloc(1, sizeof(*j));
    char *copy = strdup(url);
    if (!j || !copy) {
        free(j);
        free(copy);
        failure_set(&f, -ENOMEM, 0, "no memory for a request");
        done(arg, &(struct http_answer){.failure = f});
        return;
    }
    *j = (struct job){.url = copy, .urgency = u, .done = done, .arg = arg, .http = h};
    atomic_fetch_add(&h->counters.jobs, 1);
    pthread_mutex_lock(&h->lock);
    DL_APPEND(h->incoming, j);
    pthread_mutex_unlock(&h->lock);
    curl_multi_wakeup(h->multi);
}

void http_stats(struct http *h, struct http_stats *ret)
{
    struct counters *c = &h->counters;
    *ret = (struct http_stats){.sent = atomic_load(&c->sent),
                               .retries = atomic_load(&c->retries),
                               .failed = atomic_load(&c->failed),
                               .unsent = atomic_load(&c->unsent),
                               .bytes = atomic_load(&c->bytes),
                               .latency_us = atomic_load(&c->latency_us),
                               .recent_us = atomic_load(&c->recent_us),
                               .running = atomic_load(&c->running),
                               .rate = atomic_load(&c->rate),
                               .rate_most = h->pace.rate,
                               .connections = h->connections};
    int64_t jobs = atomic_load(&c->jobs);
    ret->waiting = jobs > ret->running ? jobs - ret->running : 0;
    for (int i = 0; i < HTTP_CODES; i++)
        ret->codes[i] = atomic_load(&c->codes[i]);
    for (int i = 0; i < HTTP_LATENCIES; i++)
        ret->latency[i] = atomic_load(&c->latency[i]);
}
