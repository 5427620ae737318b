// SPDX-License-Identifier: MIT
#include "cdr.h"

#include "rng.h"

enum { SALT_A = 1, SALT_B, SALT_C };
enum { PERCENT_UNANSWERED = 25, PERCENT_INBOUND = 45, PERCENT_HEAVY = 40 };

/* Takes a number below `below` out of a pool of random bits. */
static uint32_t draw(uint64_t *pool, uint32_t below)
{
    uint32_t value = (uint32_t)(*pool % below);

    *pool /= below;
    return value;
}

void cdr_blank(struct cdr *c, uint32_t id, int64_t end)
{
    *c = (struct cdr){.id = id, .initiation = end, .answer = CDR_NEVER, .end = end};
    c->from.text = c->to.text = c->direction = c->cause_name = c->source = "";
    c->trunk_domain = c->trunk_id = c->region = c->from_country = c->to_country = "";
    c->transport = c->stir = c->attestation = "";
}

static const struct number *pick_remote(const struct book *book, uint64_t *pool)
{
    if (draw(pool, 100) < PERCENT_HEAVY)
        return &book->remote[draw(pool, BOOK_HEAVY)];
    return &book->remote[draw(pool, BOOK_REMOTE)];
}

/* Sets the two parties; returns the one outside, which decides what the call costs. */
static const struct country *set_parties(struct cdr *c, const struct book *book, uint64_t pool)
{
    const struct number *own = &book->own[draw(&pool, BOOK_OWN)];
    bool inbound = draw(&pool, 100) < PERCENT_INBOUND;
    const struct number *remote = pick_remote(book, &pool);
    const struct number *from = inbound ? remote : own, *to = inbound ? own : remote;

    c->direction = inbound ? "inbound" : "outbound";
    c->from.text = from->text;
    c->to.text = to->text;
    c->from_country = from->country->code;
    c->to_country = to->country->code;
    return remote->country;
}

static int64_t talk_seconds(uint64_t *pool)
{
    int64_t u = draw(pool, 1000), kind = draw(pool, 100);

    if (kind == 0)
        return 0;
    if (kind == 1)
        return 3600 + u * 8;
    return 1 + u * u / 1500;
}

static void set_answered(struct cdr *c, const struct country *land, uint64_t *pool)
{
    const struct cause *cause = book_answered(draw(pool, 60));
    int64_t step = land->increment;

    c->talk = talk_seconds(pool);
    c->billed = (c->talk + step - 1) / step * step;
    c->answer = c->end - c->talk;
    c->initiation = c->answer - 1 - draw(pool, 40);
    c->rate = land->rate;
    c->amount = c->rate * c->billed / 60;
    c->cause_name = cause->name;
    c->cause_code = cause->code;
    c->source = cause->source;
}

static void set_unanswered(struct cdr *c, const struct country *land, uint64_t *pool)
{
    const struct cause *cause = book_unanswered(draw(pool, 170));

    c->initiation = c->end - draw(pool, 60);
    c->rate = land->rate;
    if (draw(pool, 12) == 0) {
        const struct odd_caller *odd = book_odd(draw(pool, 130));

        cause = book_cause(odd->code);
        c->from = (struct phone){.text = odd->text, .json = odd->json};
        c->from_country = "";
        c->rate = 0;
    }
    c->cause_name = cause->name;
    c->cause_code = cause->code;
    c->source = cause->source;
}

static void set_trunk(struct cdr *c, uint64_t *pool)
{
    uint32_t which = draw(pool, 100);
    const struct trunk *t = book_trunk(which < 2 ? book_trunks() - 1 : which % (book_trunks() - 1));

    c->trunk_domain = t->domain;
    c->trunk_id = t->id;
    c->region = t->region;
    c->secure = draw(pool, 100) < 15;
    c->srtp = c->secure;
    c->secure_rate = c->secure ? 300 : 0;
    c->transport = c->secure ? "tls" : draw(pool, 3) ? "udp" : "tcp";
}

static void set_identity(struct cdr *c, const struct country *land, uint64_t *pool)
{
    static const char *const grades[] = {"B", "C", "null"};
    uint32_t grade = draw(pool, 6);

    if (land->code[0] != 'U' || land->code[1] != 'S') {
        c->stir = draw(pool, 4) ? "Not Applicable" : "not applicable";
        c->attestation = "null";
    } else if (grade < 3) {
        c->stir = draw(pool, 10) ? "Verified" : "verified";
        c->attestation = "A";
    } else {
        c->stir = draw(pool, 10) ? "Not Verified" : "not verified";
        c->attestation = grades[grade - 3];
    }
    c->cnam = c->direction[0] == 'i' && draw(pool, 10) == 0;
    c->cnam_rate = c->cnam ? 400 : 0;
}

void cdr_derive(struct cdr *c, const struct book *book, uint64_t seed, uint32_t id, int64_t end)
{
    uint64_t times = rng_hash(seed, id, SALT_B), rest = rng_hash(seed, id, SALT_C);
    const struct country *land;

    cdr_blank(c, id, end);
    land = set_parties(c, book, rng_hash(seed, id, SALT_A));
    if (draw(&times, 100) < PERCENT_UNANSWERED)
        set_unanswered(c, land, &times);
    else
        set_answered(c, land, &times);
    set_trunk(c, &rest);
    set_identity(c, land, &rest);
}
