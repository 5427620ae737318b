// SPDX-License-Identifier: MIT
/* Claims: what the tier has of a window, who reads the rest of it, and what is told of both. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "cache/clock.h"
#include "cache/keeper.h"
#include "cache/tier_priv.h"

#define WAIT_MS 100 /* for another host's walk, before it is looked for again, doubled */
#define WAIT_MOST_MS 1000
#define ARCHIVE_MS 60000

/* --- what it has --- */

/* Readings that may help with a window: all that meet it, and those whose end was open. */
static int read_spans(struct tier *t, struct range r, struct cover *ret)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    int rc = pg_args_make(&a, 3);
    if (rc < 0)
        return rc;
    pg_arg_text(&a, t->account);
    pg_arg_number(&a, r.lo);
    pg_arg_number(&a, r.hi);
    PGresult *rows = pg_query(&t->pg,
                              "SELECT filters, lo, hi, fetched_at FROM cdrfs_span"
                              " WHERE account = $1 AND lo < $3 AND (hi > $2 OR hi > fetched_at)",
                              &a, false);
    if (!rows)
        return pg_failure(&t->pg);
    for (int i = 0; i < PQntuples(rows) && rc == 0; i++) {
        struct span s = {.fetched_at = pg_number(rows, i, 3)};
        if (query_from_filter_key(pg_text(rows, i, 0), &s.q) < 0)
            continue; /* of an axis that we do not know */
        query_meet_range(&s.q, AXIS_END_TIME,
                         (struct range){pg_number(rows, i, 1), pg_number(rows, i, 2)});
        rc = cover_add(ret, &s);
    }
    PQclear(rows);
    return rc;
}

static struct cover_rule rule_of(const struct tier *t)
{
    return (struct cover_rule){.ttl = t->opts.ttl_s, .settle = t->opts.settle_s};
}

/* What counts: not too old for this claim; whole, when it was read since that was made. */
static void judge(const struct claim *c, struct cover *cover)
{
    size_t kept = 0;
    for (size_t i = 0; i < cover->n; i++) {
        struct span *s = &cover->v[i];
        if (s->fetched_at < c->c.not_before)
            continue;
        s->seq = s->fetched_at > c->c.asked_at;
        cover->v[kept++] = *s;
    }
    cover->n = kept;
}

static int add_pieces(struct claim *c, struct ivset *wanted, struct range r, int64_t fetched_at)
{
    CLEANUP_IVSET struct ivset part = {0}, common = {0};
    ivset_add(&part, r);
    ivset_add_common(&common, wanted, &part);
    ivset_cut(wanted, r);
    for (size_t i = 0; i < common.n; i++) {
        struct piece *more = realloc(c->pieces, (c->npieces + 1) * sizeof(*more));
        if (!more)
            return -ENOMEM;
        c->pieces = more;
        c->pieces[c->npieces++] = (struct piece){common.v[i], fetched_at};
    }
    return common.failed ? -ENOMEM : 0;
}

/* The newest reading first, so that what is final stays so. */
static int take_newest(const struct tier *t, struct claim *c, const struct cover *cover,
                       struct cover_when when, struct ivset *wanted)
{
    CLEANUP_FREE bool *used = calloc(cover->n + 1, sizeof(*used));
    int rc = used ? 0 : -ENOMEM;
    while (rc == 0) {
        const struct span *best = NULL;
        for (size_t i = 0; i < cover->n; i++)
            if (!used[i] && query_filters_imply(&c->c.q, &cover->v[i].q) &&
                (!best || cover->v[i].fetched_at > best->fetched_at))
                best = &cover->v[i];
        if (!best)
            break;
        used[best - cover->v] = true;
        rc = add_pieces(c, wanted, cover_believed(best, rule_of(t), when), best->fetched_at);
    }
    return rc;
}

static int64_t oldest_reading(const struct cover *cover)
{
    int64_t oldest = INT64_MAX;
    for (size_t i = 0; i < cover->n; i++)
        if (cover->v[i].fetched_at < oldest)
            oldest = cover->v[i].fetched_at;
    return oldest;
}

/* What of the claim the tier has goes to its pieces, what it has not to missing. */
static int look(struct tier *t, struct claim *c, struct ivset *missing)
{
    struct cover cover = {0};
    CLEANUP_IVSET struct ivset wanted = {0};
    struct cover_when when = {.now = t->opts.now(t->opts.arg)};
    int rc = read_spans(t, c->c.q.num[AXIS_END_TIME], &cover);
    if (rc == 0) {
        judge(c, &cover);
        cover_remainder(&cover, rule_of(t), when, &c->c.q, missing);
        ivset_bridge(missing, BRIDGE_S); /* as who claims does: else it would never be done */
        ivset_add(&wanted, c->c.q.num[AXIS_END_TIME]);
        for (size_t i = 0; i < missing->n; i++)
            ivset_cut(&wanted, missing->v[i]);
        rc = missing->failed || wanted.failed ? -ENOMEM : 0;
    }
    if (rc == 0)
        rc = take_newest(t, c, &cover, when, &wanted);
    while (rc == 0 && wanted.n) /* by both directions together */
        rc = add_pieces(c, &wanted, wanted.v[0], oldest_reading(&cover));
    cover_release(&cover);
    return rc;
}

/* --- what the API no longer serves --- */

int tier_tell_archive(struct tier *t)
{
    struct cover cover = {0};
    CLEANUP_IVSET struct ivset missing = {0}, there = {0};
    struct cover_when when = {.now = t->opts.now(t->opts.arg), .after_seq = UINT64_MAX};
    struct query q = QUERY_ALL;
    int64_t served_from = t->opts.served_from(t->opts.arg), first = served_from;
    int rc = read_spans(t, (struct range){INT64_MIN / 2, served_from}, &cover);
    for (size_t i = 0; i < cover.n; i++)
        if (cover.v[i].q.num[AXIS_END_TIME].lo < first)
            first = cover.v[i].q.num[AXIS_END_TIME].lo;
    query_meet_range(&q, AXIS_END_TIME, (struct range){first, served_from});
    if (rc == 0 && !q.none) {
        cover_remainder(&cover, rule_of(t), when, &q, &missing);
        ivset_add(&there, q.num[AXIS_END_TIME]);
        for (size_t i = 0; i < missing.n; i++)
            ivset_cut(&there, missing.v[i]);
    }
    cover_release(&cover);
    struct tier_news *n = rc == 0 ? tier_news_new(TIER_ARCHIVE, NULL) : NULL;
    if (!n)
        return rc;
    n->spans = calloc(there.n + 1, sizeof(*n->spans));
    for (size_t i = 0; i < there.n && n->spans; i++) {
        n->spans[i].q = QUERY_ALL;
        query_meet_range(&n->spans[i].q, AXIS_END_TIME, there.v[i]);
        n->nspans = i + 1;
    }
    tier_say(t, n);
    t->archive_ms = clock_ms() + ARCHIVE_MS;
    return 0;
}

/* --- leases --- */

/* What others read is not missing; nor is a little around it. */
static int cut_leased(struct tier *t, const struct claim *c, struct ivset *missing)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    struct range all = c->c.q.num[AXIS_END_TIME];
    int rc = tier_host_args(t, &a, 2);
    if (rc < 0)
        return rc;
    pg_arg_number(&a, all.lo - BRIDGE_S);
    pg_arg_number(&a, all.hi + BRIDGE_S);
    PGresult *rows = pg_query(&t->pg,
                              "SELECT filters, lo, hi FROM cdrfs_lease WHERE account = $1"
                              " AND host <> $2 AND expires > " NOW " AND lo < $4 AND hi > $3",
                              &a, false);
    if (!rows)
        return pg_failure(&t->pg);
    for (int i = 0; i < PQntuples(rows); i++) {
        struct query q;
        if (query_from_filter_key(pg_text(rows, i, 0), &q) == 0 && query_filters_imply(&c->c.q, &q))
            ivset_cut(missing, (struct range){pg_number(rows, i, 1) - BRIDGE_S,
                                              pg_number(rows, i, 2) + BRIDGE_S});
    }
    PQclear(rows);
    return 0;
}

static int put_lease(struct tier *t, const struct claim *c, struct range r, uint64_t number)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    char filters[QUERY_KEY_MAX], sql[160];
    int rc = tier_host_args(t, &a, 4);
    if (rc < 0)
        return rc;
    query_filter_key(&c->c.q, filters);
    pg_arg_number(&a, (int64_t)number);
    pg_arg_text(&a, filters);
    pg_arg_number(&a, r.lo);
    pg_arg_number(&a, r.hi);
    snprintf(sql, sizeof(sql),
             "INSERT INTO cdrfs_lease VALUES($1, $2, $3, $4, $5, $6, " NOW " + %d)", TIER_LEASE_S);
    return pg_run(&t->pg, sql, &a);
}

/* Claims of an account are decided one after another. */
static int lock_account(struct tier *t)
{
    int rc = pg_run(&t->pg, "BEGIN", NULL);
    return rc == 0 ? tier_check(t, &t->pg, true) : rc;
}

/* What of it neither others read nor the tier has: the leases first, so that what is published in
 * between is seen as a reading. */
static int find_free(struct tier *t, struct claim *c, struct ivset *ret)
{
    CLEANUP_IVSET struct ivset missing = {0}, unleased = {0};
    ivset_add(&unleased, c->c.q.num[AXIS_END_TIME]);
    int rc = cut_leased(t, c, &unleased);
    if (rc == 0)
        rc = look(t, c, &missing);
    if (rc == 0 && !c->npieces)
        ivset_add_common(ret, &unleased, &missing);
    return rc;
}

/* 1: leased; 0: others have it all. */
static int lease_some(struct tier *t, struct claim *c, struct range *ret, uint64_t number)
{
    CLEANUP_IVSET struct ivset free_now = {0};
    int rc = lock_account(t);
    if (rc == 0)
        rc = find_free(t, c, &free_now);
    if (rc == 0 && free_now.n) {
        *ret = free_now.v[0];
        rc = put_lease(t, c, *ret, number);
        rc = rc == 0 ? 1 : rc;
    }
    int end = t->pg.conn ? pg_end(&t->pg, rc >= 0) : -ENOTCONN;
    return rc < 0 ? rc : end < 0 ? end : rc;
}

static struct lease *new_lease(struct tier *t)
{
    struct lease *l = calloc(1, sizeof(*l));
    if (!l)
        return NULL;
    pthread_mutex_lock(&t->lock);
    l->number = ++t->last_lease;
    DL_APPEND(t->leases, l);
    pthread_mutex_unlock(&t->lock);
    return l;
}

static void drop_lease(struct tier *t, struct lease *l)
{
    pthread_mutex_lock(&t->lock);
    DL_DELETE(t->leases, l);
    pthread_mutex_unlock(&t->lock);
    free(l);
}

void tier_end_lease(struct tier *t, uint64_t lease, bool whole)
{
    struct lease *l;
    pthread_mutex_lock(&t->lock);
    DL_FOREACH (t->leases, l)
        if (l->number == lease)
            l->state = whole ? LEASE_DONE : LEASE_OVER;
    t->kicked = t->kicked || whole;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void tier_publish(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    t->kicked = true;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

void tier_took(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    t->untaken--;
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

/* --- claims --- */

/* The copying thread goes on with it. */
static void hand_to_copier(struct tier *t, struct claim *c)
{
    pthread_mutex_lock(&t->lock);
    DL_APPEND(t->copies, c);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

static void look_again(struct claim *c)
{
    int64_t wait = (int64_t)WAIT_MS << (c->tries < 4 ? c->tries : 4);
    c->tries++;
    c->waits = true;
    c->due_ms = clock_ms() + (wait < WAIT_MOST_MS ? wait : WAIT_MOST_MS);
}

static bool can_be_leased(const struct claim *c)
{
    return c->c.q.num[AXIS_END_TIME].hi > c->c.served_from;
}

/* What is to become of it: 1 for `answer`; 0 when there is something to copy, or another host is
 * about to bring it. */
static int decide(struct tier *t, struct claim *c, enum tier_kind *answer)
{
    struct range r;
    CLEANUP_IVSET struct ivset missing = {0};
    if (*c->c.uuid)
        return 0;
    int rc = look(t, c, &missing);
    if (rc < 0 || c->npieces)
        return rc;
    *answer = TIER_ALONE;
    if (!can_be_leased(c))
        return 1;
    if (tier_state(t) == TIER_READING) {
        rc = cut_leased(t, c, &missing);
        return rc == 0 ? missing.n > 0 : rc;
    }
    struct lease *l = new_lease(t);
    if (!l)
        return -ENOMEM;
    c->answer->lease = l->number;
    rc = lease_some(t, c, &r, l->number);
    if (rc <= 0) {
        drop_lease(t, l);
        return rc;
    }
    c->answer->range = r;
    *answer = TIER_LEASED;
    return 1;
}

int tier_attend(struct tier *t, struct claim *c)
{
    enum tier_kind answer = TIER_GONE;
    int rc = atomic_load(&c->c.u->gone) ? 1 : decide(t, c, &answer);
    if (rc == -ESTALE)
        rc = tier_begin_anew(t);
    if (!t->pg.conn)
        return -ENOTCONN;
    if (rc == -EIO && pg_is_race(&t->pg)) {
        c->due_ms = 0;
        return 0;
    }
    if (rc == 0 && !c->npieces && !*c->c.uuid) {
        look_again(c);
        return 0;
    }
    DL_DELETE(t->claims, c);
    if (rc < 0) {
        tier_failed(t, &t->pg);
        tier_answer(t, c, TIER_ALONE);
    } else if (c->npieces || *c->c.uuid) {
        hand_to_copier(t, c);
    } else {
        tier_answer(t, c, answer);
    }
    return 0;
}

int tier_claim(struct tier *t, const struct tier_claim *claim)
{
    struct claim *c = calloc(1, sizeof(*c));
    struct tier_news *n = tier_news_new(TIER_GONE, claim->arg);
    if (!c || !n) {
        free(c);
        free(n);
        return -ENOMEM;
    }
    c->c = *claim;
    c->answer = n;
    memcpy(n->uuid, claim->uuid, sizeof(n->uuid));
    pthread_mutex_lock(&t->lock);
    bool lost = t->stats.state == TIER_LOST; /* an attempt to connect again may take its time */
    if (!lost)
        DL_APPEND(t->incoming, c);
    pthread_cond_broadcast(&t->wake);
    pthread_mutex_unlock(&t->lock);
    if (lost)
        tier_answer(t, c, TIER_ALONE);
    return 0;
}
