// SPDX-License-Identifier: MIT
/* The manual's table of axes says what the table in api/query.c says. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "api/query.h"
#include "tests/unit/check_util.h"

static char text[1 << 16];

static void read_semantics(void)
{
    FILE *f = fopen(SOURCE_ROOT "/docs/SEMANTICS.md", "re");
    ck_assert_ptr_nonnull(f);
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    ck_assert_uint_gt(n, 1000);
    ck_assert_uint_lt(n, sizeof(text) - 1);
    text[n] = '\0';
}

static const char *values_of(const struct axis *a)
{
    switch (a->form) {
    case FORM_CHOICE:
        return NULL; /* spelled out below */
    case FORM_CODE:
        return "CODE";
    case FORM_SECONDS:
        return "N, gt-N, gte-N, lt-N, lte-N";
    case FORM_TIME:
        return "TIME, gt-TIME, gte-TIME, lt-TIME, lte-TIME";
    case FORM_PREFIX:
        return "NUMBER";
    default:
        return "ID";
    }
}

static void row_of(const struct axis *a, struct buf *out)
{
    const char *values = values_of(a);
    buf_printf(out, "| %s | ", a->dir);
    for (size_t i = 0; !values && a->choices[i].path; i++)
        buf_printf(out, "%s%s", i ? ", " : "", a->choices[i].path);
    buf_printf(out, "%s | %s | %s | %s |\n", values ? values : "", a->doc,
               a->param[0] ? a->param[0] : "here", a->param[1] ? a->param[1] : "here");
}

START_TEST(the_manual_has_a_row_for_each_axis)
{
    struct buf row = buf_make(1 << 12);
    read_semantics();
    row_of(&axes[_i], &row);
    ck_assert_int_eq(buf_error(&row), 0);
    ck_assert_msg(strstr(text, row.p) != NULL, "missing in docs/SEMANTICS.md: %s", row.p);
    buf_release(&row);
}
END_TEST

START_TEST(and_no_row_for_another)
{
    int rows = 0;
    read_semantics();
    for (const char *p = text; (p = strstr(p, "\n| by-")); p++)
        rows++;
    ck_assert_int_eq(rows, AXES + 1); /* by-date is no axis */
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(the_manual_has_a_row_for_each_axis, axes),
        ONCE(and_no_row_for_another),
    };
    return RUN_SUITE("docs", tests);
}
