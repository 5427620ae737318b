// SPDX-License-Identifier: MIT
/* Prints the tables of options and axes as one JSON object, for tests that compare texts with them.
 */
#include <jansson.h>

#include "api/query.h"
#include "fs/options.h"

static json_t *text_or_null(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *option(const struct option_def *d)
{
    static const char *const types[] = {
        [OPTION_TEXT] = "text",       [OPTION_URL] = "url",     [OPTION_CHOICE] = "choice",
        [OPTION_SECONDS] = "seconds", [OPTION_WHOLE] = "whole", [OPTION_NUMBER] = "number",
        [OPTION_OCTAL] = "octal",     [OPTION_FLAG] = "flag",   [OPTION_DATABASE] = "database"};
    return json_pack("{s:s, s:s, s:f, s:f, s:o, s:o, s:o, s:s}", "name", d->name, "type",
                     types[d->type], "least", d->least, "most", d->most, "fallback",
                     text_or_null(d->fallback), "env", text_or_null(d->env), "values",
                     text_or_null(d->values), "help", d->help);
}

static json_t *options(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < option_defs_count; i++)
        json_array_append_new(list, option(&option_defs[i]));
    return list;
}

static json_t *foreign(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < foreign_defs_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:b}", "name", foreign_defs[i].name, "kernel",
                                              foreign_defs[i].kernel));
    return list;
}

static json_t *flags(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < flag_defs_count; i++)
        json_array_append_new(list, json_pack("{s:s, s:o}", "name", flag_defs[i].name, "longer",
                                              text_or_null(flag_defs[i].longer)));
    return list;
}

static json_t *axis(const struct axis *a)
{
    static const char *const forms[] = {
        [FORM_TIME] = "time", [FORM_SECONDS] = "seconds", [FORM_CHOICE] = "choice",
        [FORM_CODE] = "code", [FORM_PREFIX] = "prefix",   [FORM_ID] = "id"};
    json_t *choices = json_array();
    for (size_t i = 0; a->choices && a->choices[i].path; i++)
        json_array_append_new(choices, json_string(a->choices[i].path));
    return json_pack("{s:s, s:s, s:s, s:o}", "dir", a->dir, "form", forms[a->form], "doc", a->doc,
                     "choices", choices);
}

static json_t *all_axes(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < AXES; i++)
        json_array_append_new(list, axis(&axes[i]));
    return list;
}

int main(void)
{
    json_t *all = json_pack("{s:o, s:o, s:o, s:o}", "options", options(), "foreign", foreign(),
                            "flags", flags(), "axes", all_axes());
    int rc = all ? json_dumpf(all, stdout, JSON_INDENT(1)) : -1;
    json_decref(all);
    return rc < 0;
}
