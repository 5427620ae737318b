// SPDX-License-Identifier: MIT
/* The rate: whose turn it is to send a request, of all hosts. */
#include <errno.h>
#include <stdio.h>

#include "cache/clock.h"
#include "cache/tier_priv.h"

#define BURST 0.1        /* of a second's requests may go out at once */
#define SLOT_LATE_MS 100 /* a slot not used by then is lost */
#define SLOTS_S 0.25     /* so much of a second's requests is taken at once, at the most */
#define GRANT_MS 1000    /* longer no host waits to be given some */

/*
 * All hosts take their turns from one row: a request's turn is one step behind the last one's. A
 * tenth of a second's requests may go out at once, and a turn may be used somewhat late; by so much
 * less is the rate, so that in no five seconds there are more than five times as many.
 */
static int take_slots(struct tier *t, int n)
{
    CLEANUP_PG_ARGS struct pg_args a = {0};
    char sql[400];
    double rate = t->opts.rate, burst = rate * BURST > 1 ? rate * BURST : 1;
    double step = 1 / (rate - (burst + rate * SLOT_LATE_MS / 1000) / 5);
    int rc = pg_args_make(&a, 1);
    if (rc < 0)
        return rc;
    pg_arg_text(&a, t->account);
    if (step <= 0)
        step = 1 / rate;
    snprintf(sql, sizeof(sql),
             "UPDATE cdrfs_budget SET next_slot = GREATEST(next_slot, " NOW " - %.9g) + %.9g"
             " WHERE account = $1 RETURNING next_slot - %.9g - " NOW,
             (burst - 1) * step, n * step, n * step);
    PGresult *r = pg_query(&t->pg, sql, &a, false);
    if (!r)
        return pg_failure(&t->pg);
    double delay = PQntuples(r) ? strtod(pg_text(r, 0, 0), NULL) : 0;
    PQclear(r);
    pthread_mutex_lock(&t->lock);
    t->slots.given_ms = clock_ms();
    t->slots.at_ms = (double)t->slots.given_ms + delay * 1000;
    t->slots.step_ms = step * 1000;
    t->slots.left = n;
    t->slots.wanted = false;
    pthread_mutex_unlock(&t->lock);
    return 0;
}

/* Turns that were not used in time are lost, but for those that were given just now. */
static void drop_late(struct slots *s, int64_t now_ms)
{
    while (s->left && now_ms - s->given_ms > SLOT_LATE_MS &&
           s->at_ms + s->step_ms < (double)(now_ms - SLOT_LATE_MS)) {
        s->at_ms += s->step_ms;
        s->left--;
    }
}

static int64_t alone_may_send(struct tier *t, int64_t now_ms)
{
    int64_t wait = pace_take(&t->solo, now_ms);
    t->slots.wanted = false;
    return wait;
}

int64_t tier_may_send(void *arg, int64_t now_ms)
{
    struct tier *t = arg;
    struct slots *s = &t->slots;
    int64_t wait = 5;
    pthread_mutex_lock(&t->lock);
    drop_late(s, now_ms);
    if (t->stats.state != TIER_TOGETHER) {
        wait = alone_may_send(t, now_ms);
    } else if (s->left > 0 && s->at_ms <= (double)now_ms) {
        s->at_ms += s->step_ms;
        s->left--;
        wait = 0;
    } else if (s->left > 0) {
        wait = (int64_t)(s->at_ms - (double)now_ms) + 1;
    } else if (!s->wanted) {
        s->wanted = true;
        s->wanted_ms = now_ms;
        pthread_cond_broadcast(&t->wake);
    } else if (now_ms - s->wanted_ms > GRANT_MS) {
        wait = alone_may_send(t, now_ms);
    }
    pthread_mutex_unlock(&t->lock);
    return wait;
}

/* More at once while they are used up, one after a pause. */
static int slots_wanted(struct tier *t)
{
    pthread_mutex_lock(&t->lock);
    struct slots *s = &t->slots;
    int64_t now_ms = clock_ms();
    drop_late(s, now_ms);
    bool wants = s->wanted && !s->left;
    int most = (int)(t->opts.rate * SLOTS_S);
    bool busy = (double)now_ms - s->at_ms < 2 * s->step_ms + SLOT_LATE_MS;
    if (wants) {
        s->most = busy ? s->most * 2 : 1;
        s->most = s->most > most ? most : s->most;
        s->most = s->most < 1 ? 1 : s->most;
    }
    int n = wants ? s->most : 0;
    pthread_mutex_unlock(&t->lock);
    return n;
}

int tier_take_turns(struct tier *t)
{
    int n = tier_state(t) == TIER_TOGETHER ? slots_wanted(t) : 0;
    return n ? take_slots(t, n) : 0;
}
