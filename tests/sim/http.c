// SPDX-License-Identifier: MIT
#include "http.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api.h"
#include "control.h"
#include "respond.h"
#include "rng.h"
#include "utc.h"

/* jansson reads and writes 2048 levels of nesting by recursion. */
enum { STACK_SIZE = 2 << 20, SALT_JITTER = 0x50000 };

#define CONTROL "/control/"

/* libmicrohttpd hands over the raw target before anything else is known: the request starts here.
 */
static void *on_uri(void *cls, const char *uri, struct MHD_Connection *conn)
{
    struct request *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->sim = cls;
    r->conn = conn;
    r->sock = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    r->waiter.fd = -1;
    r->is_api = strncmp(uri, CONTROL, strlen(CONTROL)) != 0;
    r->uri = strdup(uri);
    text_init(&r->upload, HTTP_UPLOAD_MAX);
    return r;
}

static int peer_port(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct sockaddr_in in;

    memcpy(&in, info->client_addr, sizeof in);
    return ntohs(in.sin_port);
}

/* Each connection has a flag: whether it has carried a request of the API, which is when it counts.
 */
static void on_connection(void *cls, struct MHD_Connection *conn, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    (void)cls, (void)conn;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = calloc(1, sizeof(bool));
    } else {
        free(*context);
        *context = NULL;
    }
}

static void count_connection(struct request *r)
{
    bool *counted =
        MHD_get_connection_info(r->conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

    if (!counted || *counted)
        return;
    *counted = true;
    reqlog_connection(&r->sim->reqlog);
}

/* The fault is chosen and its waiter registered before the arrival shows, so that whoever saw the
 * arrival can release it. */
static void begin_api(struct request *r, const char *method)
{
    const char *agent = MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, "User-Agent");
    struct arrival a = {.method = method,
                        .url = r->uri,
                        .user_agent = agent ? agent : "",
                        .port = peer_port(r->conn)};

    r->fault = faults_take(&r->sim->faults, r->uri);
    if (r->fault && (r->fault->kind == FAULT_STALL || r->fault->kind == FAULT_DRIP))
        gate_join(&r->sim->gate, &r->waiter, true);
    count_connection(r);
    r->seq = reqlog_arrive(&r->sim->reqlog, &a);
}

static void delay(struct request *r, const struct settings *s)
{
    int64_t ms = s->latency_ms;
    struct waiter w = {.fd = -1};

    if (s->jitter_ms > 0)
        ms += (int64_t)(rng_hash(SALT_JITTER, r->seq, 0) % (uint64_t)(s->jitter_ms + 1));
    if (ms <= 0 || gate_join(&r->sim->gate, &w, false) < 0)
        return;
    gate_wait(&w, r->sock, ms * 1000);
    gate_leave(&r->sim->gate, &w);
}

static void put_date(struct request *r, const struct settings *s, struct reply *reply)
{
    char date[UTC_HTTP_SIZE];

    if (s->no_date)
        return;
    utc_http(vclock_now(&r->sim->clock) + s->date_skew_s, date);
    reply_header(reply, "Date", date);
}

static enum MHD_Result answer_api(struct request *r, const char *method)
{
    struct settings settings = config_get(&r->sim->config);
    struct api_request req = {.method = method, .uri = r->uri, .settings = &settings};
    struct reply reply;

    req.authorization = MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, "Authorization");
    reply_init(&reply);
    api_handle(r->sim, &req, &reply);
    delay(r, &settings);
    respond_fault(r, &reply);
    put_date(r, &settings, &reply);
    reqlog_answer(&r->sim->reqlog, r->seq, &reply.outcome);
    return respond(r, &reply);
}

static enum MHD_Result answer_control(struct request *r, const char *method)
{
    struct reply reply;

    reply_init(&reply);
    control_handle(r->sim, method, r->uri, &r->upload, &reply);
    return respond(r, &reply);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **con_cls)
{
    struct request *r = *con_cls;

    (void)cls, (void)conn, (void)url, (void)version;
    if (!r || !r->uri)
        return MHD_NO;
    if (!r->begun) {
        r->begun = true;
        if (r->is_api)
            begin_api(r, method);
        return MHD_YES;
    }
    if (*upload_size) {
        text_add(&r->upload, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    return r->is_api ? answer_api(r, method) : answer_control(r, method);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
                         enum MHD_RequestTerminationCode toe)
{
    struct request *r = *con_cls;
    struct sim *sim = cls;

    (void)conn;
    if (!r)
        return;
    if (r->is_api && r->begun)
        reqlog_finish(&sim->reqlog, r->seq, toe == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    gate_leave(&sim->gate, &r->waiter);
    faults_put(&sim->faults, r->fault);
    text_release(&r->upload);
    free(r->uri);
    free(r);
    *con_cls = NULL;
}

static void on_log(void *cls, const char *fmt, va_list args)
{
    (void)cls, (void)fmt, (void)args;
}

struct MHD_Daemon *http_start(struct sim *sim)
{
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                     MHD_USE_POLL | MHD_USE_ITC | MHD_USE_SUPPRESS_DATE_NO_CLOCK |
                     MHD_USE_ERROR_LOG;

    return MHD_start_daemon(flags, 0, NULL, NULL, on_request, sim, MHD_OPTION_EXTERNAL_LOGGER,
                            on_log, NULL, MHD_OPTION_SOCK_ADDR, &local, MHD_OPTION_URI_LOG_CALLBACK,
                            on_uri, sim, MHD_OPTION_NOTIFY_CONNECTION, on_connection, sim,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, sim,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)sim->options.max_connections,
                            MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_SIZE,
                            MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024u, MHD_OPTION_END);
}

int http_port(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);

    return info ? info->port : 0;
}
