// SPDX-License-Identifier: MIT
#include "fs/start.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/plivo.h"
#include "cache/cache.h"
#include "fs/channel.h"
#include "fs/end.h"
#include "fs/errors.h"
#include "fs/fs.h"
#include "fs/handlers.h"
#include "fs/hup.h"
#include "fs/notify.h"
#include "fs/park.h"
#include "fs/push.h"
#include "fs/query_path.h"
#include "fs/shot.h"
#include "fs/used.h"
#include "fs/worker.h"

#define ERROR_MAX 512
#define PROVE_MOST_S 20

/* --- the request that proves the credentials --- */

struct proof {
    pthread_mutex_t lock; /* guards the rest; signalled by done */
    pthread_cond_t done;
    bool answered, left;
    struct failure failure;
};

static void proof_free(struct proof *p)
{
    pthread_cond_destroy(&p->done);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* Whoever comes last, the answer or the one who waited, frees. */
static void on_proof(void *arg, const struct failure *failure, struct page *page)
{
    struct proof *p = arg;
    page_free(page);
    pthread_mutex_lock(&p->lock);
    p->failure = *failure;
    p->answered = true;
    bool left = p->left;
    pthread_cond_signal(&p->done);
    pthread_mutex_unlock(&p->lock);
    if (left)
        proof_free(p);
}

static bool wait_for_proof(struct proof *p, struct failure *ret)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PROVE_MOST_S;
    pthread_mutex_lock(&p->lock);
    while (!p->answered && pthread_cond_timedwait(&p->done, &p->lock, &until) != ETIMEDOUT)
        ;
    bool answered = p->answered;
    *ret = p->failure;
    p->left = true;
    pthread_mutex_unlock(&p->lock);
    return answered;
}

/* Asks for the last minute. 0, or -EACCES; anything else may mend itself and is only a warning. The
 * server's date is 0 when it did not answer. */
static int prove_credentials(struct source *s, const struct fs *fs, int64_t *ret_date)
{
    const struct log *log = fs->log;
    struct proof *p = calloc(1, sizeof(*p));
    struct failure f = {0};
    struct query q = QUERY_ALL;
    int64_t now = (int64_t)time(NULL);
    if (!p)
        return -ENOMEM;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->done, NULL);
    query_meet_range(&q, AXIS_END_TIME, (struct range){now - 60, now + 1});
    s->ops->fetch_page(s, &q, 0, NULL, on_proof, p);
    if (wait_for_proof(p, &f))
        proof_free(p);
    else
        failure_set(&f, -ETIMEDOUT, 0, "no answer within %d s", PROVE_MOST_S);
    *ret_date = f.date;
    if (f.err && f.http != 400)
        errors_add(fs->errors, now, "by-date", &f);
    if (f.err == -EACCES)
        log_line(log, LOG_LEVEL_ERROR, "the API refuses these credentials (%s): %s", f.detail,
                 failure_remedy(&f));
    else if (f.err && f.http != 400)
        log_line(log, LOG_LEVEL_WARNING, "the API cannot be reached (%s); serving what is held: %s",
                 f.detail, failure_remedy(&f));
    return f.err == -EACCES ? f.err : 0;
}

/* --- the store's place --- */

static int make_dirs(const char *path)
{
    CLEANUP_FREE char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    for (char *p = copy + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(copy, 0700) < 0 && errno != EEXIST)
            return -errno;
        *p = '/';
    }
    return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* A variable's value if that is an absolute path. */
static const char *path_of(const char *value)
{
    return value && *value == '/' ? value : NULL;
}

/* -ENOENT: nothing says where. */
static int store_dir(const struct options *o, char **ret)
{
    const char *xdg = path_of(getenv("XDG_CACHE_HOME")), *home = path_of(getenv("HOME"));
    const char *given = path_of(getenv("CACHE_DIRECTORY")); /* one, or several with colons */
    int n;
    if (o->cache_dir)
        n = asprintf(ret, "%s", o->cache_dir);
    else if (xdg)
        n = asprintf(ret, "%s/cdrfs", xdg);
    else if (home)
        n = asprintf(ret, "%s/.cache/cdrfs", home);
    else if (given)
        n = asprintf(ret, "%.*s", (int)strcspn(given, ":"), given);
    else if (geteuid() == 0)
        n = asprintf(ret, "/var/cache/cdrfs");
    else
        return -ENOENT;
    return n < 0 ? -ENOMEM : 0;
}

/* What the user made is left as it is. */
static void warn_of_others(const struct log *log, const char *dir)
{
    struct stat st;
    if (stat(dir, &st) == 0 && st.st_mode & 077)
        log_line(log, LOG_LEVEL_WARNING, "others can enter %s, where calls are kept; chmod 700 %s",
                 dir, dir);
}

static int store_path(const struct options *o, const struct account *a, const struct log *log,
                      char **ret, char *error)
{
    CLEANUP_FREE char *dir = NULL;
    int rc = store_dir(o, &dir);
    if (rc == -ENOENT)
        snprintf(error, ERROR_MAX, "no folder for the store: HOME is not set; give cache_dir=");
    if (rc < 0)
        return rc;
    rc = make_dirs(dir);
    if (rc < 0) {
        snprintf(error, ERROR_MAX,
                 "the folder for the store %s cannot be made: %s; see cache_dir=", dir,
                 strerror(-rc));
        return rc;
    }
    warn_of_others(log, dir);
    const char *suffix = strcmp(o->dialect, "latest") == 0 ? "" : "-legacy";
    return asprintf(ret, "%s/%s%s.db", dir, a->id, suffix) < 0 ? -ENOMEM : 0;
}

/* --- the parts --- */

static void on_report(void *arg, const struct query *q, const char *uuid, const struct failure *f)
{
    const struct fs *fs = arg;
    char filters[QUERY_KEY_MAX];
    if (!f->err) { /* of what is well again */
        log_line(fs->log, LOG_LEVEL_INFO, "%s", f->detail);
        return;
    }
    struct buf path = buf_make(QUERY_PATH_MAX);
    query_filter_key(q, filters);
    query_path_days(q, uuid, &path);
    errors_add(fs->errors, cache_now(fs->cache), path.p ? path.p : "", f);
    buf_release(&path);
    log_line(fs->log, f->repeated ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "%s: %s%s%s%s%s (%s)",
             strerror(-f->err), f->detail, *filters ? ", asking for " : "", filters,
             *f->api_id ? ", api_id " : "", f->api_id, failure_remedy(f));
}

static int console_east(int64_t t)
{
    struct tm local;
    time_t at = (time_t)t;
    return localtime_r(&at, &local) ? (int)local.tm_gmtoff : 0;
}

/* What is no zone would be UTC to the C library, in silence. */
static bool is_zone(const char *zone)
{
    char path[256], magic[4] = "";
    if (strcmp(zone, "UTC") == 0)
        return true;
    if (*zone == '/' || strstr(zone, "..") || strlen(zone) > 200)
        return false;
    snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", zone);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && read(fd, magic, sizeof(magic)) == sizeof(magic) &&
                memcmp(magic, "TZif", sizeof(magic)) == 0;
    if (fd >= 0)
        close(fd);
    return good;
}

/* The process's zone serves this only: everything else is UTC. Before threads. */
static int set_console_zone(const char *zone, char *error)
{
    if (!is_zone(zone)) {
        snprintf(
            error, ERROR_MAX,
            "console_tz=%.64s is no zone of /usr/share/zoneinfo; give one such as Asia/Kolkata, "
            "from the package tzdata",
            zone);
        return -EINVAL;
    }
    if (setenv("TZ", zone, 1) < 0)
        return -ENOMEM;
    tzset();
    return 0;
}

/*
 * The kernel drops what it keeps of a call whose record was amended; nothing older of it may be
 * pushed after that. This runs on the cache's
 * thread, inside no request: the pages it waits for are read by FUSE workers, which never wait for
 * this thread.
 */
static void on_amended(void *arg, int64_t id)
{
    const struct fs *fs = arg;
    push_pause(fs->push);
    if (fs->session)
        fuse_lowlevel_notify_inval_inode(fs->session, NODE_CALL | (uint64_t)id, 0, 0);
    push_resume(fs->push);
}

static int make_source(const struct options *o, const struct account *a, struct source **ret,
                       char *error)
{
    int rc = set_console_zone(o->console_tz, error);
    if (rc < 0)
        return rc;
    struct plivo_opts p = {.dialect = dialect_by_name(o->dialect),
                           .api_url = o->api_url,
                           .console_east = strcmp(o->console_tz, "UTC") ? console_east : NULL,
                           .http = {.auth_id = a->id,
                                    .token = a->token,
                                    .rate = o->rate,
                                    .connections = (int)o->connections,
                                    .ca_file = getenv("SSL_CERT_FILE"),
                                    .timeout_ms = o->deadline * 1000}};
    rc = plivo_create(&p, ret);
    if (rc < 0)
        snprintf(error, ERROR_MAX, "the network thread cannot be started: %s; see ulimit -u",
                 strerror(-rc));
    return rc;
}

static int make_shots(const struct options *o, char *store, struct fs *fs, char *error)
{
    char *slash = strrchr(store, '/');
    *slash = '\0';
    fs->shots = shots_create(store, dialect_by_name(o->dialect)->id);
    if (fs->shots)
        return 0;
    snprintf(error, ERROR_MAX,
             "no file for csv/ and ndjson/ can be made in %s: %s; see cache_dir=", store,
             strerror(errno));
    return -EIO;
}

static int make_cache(const struct options *o, const struct account *a, struct source *s,
                      int64_t date, struct fs *fs, char *error)
{
    CLEANUP_FREE char *path = NULL;
    int rc = store_path(o, a, fs->log, &path, error);
    if (rc < 0) {
        s->ops->destroy(s);
        return rc;
    }
    char account[128];
    snprintf(account, sizeof(account), "%s %s", a->id, o->dialect);
    struct cache_opts c = {.path = path,
                           .shared = o->shared,
                           .account = account,
                           .rate = o->rate,
                           .source = s,
                           .ttl_s = o->ttl,
                           .settle_s = o->settle,
                           .stale_if_error_s = o->stale_if_error,
                           .keep_days = o->keep_days,
                           .deadline_ms = o->deadline * 1000,
                           .pages_at_once = (int)o->connections * 2,
                           .date = date,
                           .report = on_report,
                           .report_arg = fs,
                           .amended = on_amended,
                           .amended_arg = fs};
    rc = cache_create(&c, &fs->cache, error, ERROR_MAX);
    if (rc == 0 && *cache_warning(fs->cache))
        log_line(fs->log, LOG_LEVEL_WARNING, "%s", cache_warning(fs->cache));
    if (rc == 0)
        rc = make_shots(o, path, fs, error);
    fs->store_dir = path; /* the folder's, since */
    path = NULL;
    return rc;
}

static struct fuse_session *make_session(const struct options *o, const struct account *a,
                                         struct fs *fs)
{
    CLEANUP_FREE char *opts = NULL;
    /* With one user there is nothing to check, and every write reaches us to be answered EROFS;
     * with others the kernel checks modes first. */
    bool others = o->kernel && strstr(o->kernel, "allow_");
    if (asprintf(&opts, "fsname=%s,subtype=cdrfs%s%s%s%s", a->id,
                 others ? ",default_permissions" : "", o->ro ? ",ro" : "", o->kernel ? "," : "",
                 o->kernel ? o->kernel : "") < 0)
        return NULL;
    char *argv[] = {"cdrfs", "-o", opts, o->debug ? "-d" : NULL, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(o->debug ? 4 : 3, argv);
    struct fuse_session *se = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
    fuse_opt_free_args(&args);
    return se;
}

static int loop(struct fuse_session *se, bool single)
{
    if (single)
        return fuse_session_loop(se);
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        return -ENOMEM;
    int rc = fuse_session_loop_mt(se, config);
    fuse_loop_cfg_destroy(config);
    return rc;
}

/* All who notify the kernel, and all who wait for the API, which are told so. Twice does no harm.
 */
static void stop_all(void *arg)
{
    struct fs *fs = arg;
    push_stop(fs->push);
    shots_stop(fs->shots);
    worker_stop(fs->worker);
    cache_stop(fs->cache);
}

static bool serve(const struct options *o, const struct account *a, struct fs *fs,
                  void (*ready)(void *arg), void *arg)
{
    struct fuse_session *se = make_session(o, a, fs);
    bool served = false;
    if (!se)
        return false;
    fs->session = se;
    struct hup *hup = hup_create(fs);
    struct end *end = end_create(se, stop_all, fs);
    if (!hup || !end)
        log_line(fs->log, LOG_LEVEL_ERROR, "cannot start: no further thread; see ulimit -u");
    if (hup && end && channel_mount(se, o->mountpoint) == 0) {
        log_line(fs->log, LOG_LEVEL_INFO, "mounted on %s", o->mountpoint);
        ready(arg);
        loop(se, o->single);
        served = true;
    }
    end_destroy(end);
    hup_destroy(hup);
    stop_all(fs);
    /* What was parked since is answered while the session can still carry the replies: unmounting
     * closes its descriptor. */
    cache_destroy(fs->cache);
    fs->cache = NULL;
    fuse_session_unmount(se);
    fuse_session_destroy(se);
    dirhs_free(fs);
    return served;
}

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    for (int i = 0; i < (int)ARRAY_LEN(names); i++)
        if (strcmp(names[i], name) == 0)
            return (enum log_level)i;
    return LOG_LEVEL_WARNING;
}

struct ready_then_background {
    struct log *log;
    bool foreground;
    void (*ready)(void *arg);
    void *arg;
};

static void on_ready(void *arg)
{
    struct ready_then_background *r = arg;
    atomic_store(&r->log->background, !r->foreground); /* standard error is about to go */
    r->ready(r->arg);
    int rc = r->foreground ? notify_ready() : 0;
    if (rc < 0)
        log_line(r->log, LOG_LEVEL_WARNING, "systemd cannot be told that this is ready: %s",
                 strerror(-rc));
}

/* Not that of the mount before: its node ids meant something else. */
static uint32_t new_generation(void)
{
    uint32_t n = 0;
    if (getrandom(&n, sizeof(n), GRND_NONBLOCK) != sizeof(n))
        n = (uint32_t)time(NULL);
    return n;
}

int start_and_serve(const struct options *o, struct account *a, void (*ready)(void *arg), void *arg)
{
    struct log log = {.level = o->debug ? LOG_LEVEL_DEBUG : level_of(o->log_level)};
    struct ready_then_background r = {&log, o->foreground, ready, arg};
    struct source *s = NULL;
    char error[ERROR_MAX] = "";
    bool served = false;
    int64_t date = 0;
    struct fs fs = {.log = &log,
                    .uid = o->uid < 0 ? getuid() : (uid_t)o->uid,
                    .gid = o->gid < 0 ? getgid() : (gid_t)o->gid,
                    .umask = (mode_t)o->umask,
                    .inode32 = o->inode32,
                    .generation = new_generation(),
                    .crawlers = o->crawlers,
                    .options = o,
                    .auth_id = a->id,
                    .api_url = o->api_url ? o->api_url : dialect_by_name(o->dialect)->default_url,
                    .nodes = nodes_create(),
                    .park = park_create(),
                    .used = used_create()};
    pthread_mutex_init(&fs.dirhs_lock, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error, told like a full disk */
    hup_block();
    fs.push = push_create(&fs);
    fs.errors = errors_create(&log.mask);
    int rc = fs.nodes && fs.park && fs.used && fs.push && fs.errors ? mask_init(&log.mask, a->token)
                                                                    : -ENOMEM;
    if (rc == 0)
        rc = channel_prepare(o->mountpoint, error, sizeof(error));
    if (rc == 0)
        rc = make_source(o, a, &s, error);
    fs.source = s;
    if (rc == 0 && (rc = prove_credentials(s, &fs, &date)) < 0)
        s->ops->destroy(s);
    if (rc == 0)
        rc = make_cache(o, a, s, date, &fs, error);
    if (rc == 0 && !(fs.worker = worker_create()))
        rc = -ENOMEM;
    if (rc == 0)
        served = serve(o, a, &fs, on_ready, &r);
    if (rc < 0 && rc != -EACCES && !*error)
        snprintf(error, sizeof(error), "cannot start: %s", strerror(-rc));
    if (*error)
        log_line(&log, LOG_LEVEL_ERROR, "%s", error);
    worker_destroy(fs.worker);
    cache_destroy(fs.cache);
    push_destroy(fs.push);
    errors_destroy(fs.errors);
    free(fs.store_dir);
    shots_destroy(fs.shots);
    used_destroy(fs.used);
    park_destroy(fs.park);
    nodes_destroy(fs.nodes);
    pthread_mutex_destroy(&fs.dirhs_lock);
    mask_release(&log.mask);
    return served ? 0 : 1;
}
