/*
 * See rfl_source_report.h.
 *
 * Whether a link explains a source is asked as a request would ask: by the
 * host's origin and the landing.  So a link that is registered for it takes it
 * off the list at once, whatever the kind of its match.
 */

#include "rfl_attribution.h"
#include "rfl_csv.h"
#include "rfl_hash.h"
#include "rfl_ignored.h"
#include "rfl_rule.h"
#include "rfl_source_report.h"


#define RFL_SOURCE_COLUMNS_MAX  11




typedef enum {
    RFL_SOURCE_TEXT = 0,                 /* a length of 0: null */
    RFL_SOURCE_NUMBER,
    RFL_SOURCE_TIME
} rfl_source_type_t;


typedef struct {
    const char         *name;
    rfl_source_type_t   type;
} rfl_source_column_t;


/* A row's values, in the order of its columns. */

typedef struct {
    rfl_str_t           texts[RFL_SOURCE_COLUMNS_MAX];
    uint64_t            numbers[RFL_SOURCE_COLUMNS_MAX];
    size_t              n;

    u_char              key[RFL_KEY_LEN];
    u_char              group[RFL_KEY_LEN];
    u_char              rule[RFL_RULE_MAX];
    rfl_link_t          link;
} rfl_source_values_t;


static int rfl_source_is_unknown(const rfl_source_site_t *site,
    const rfl_sources_entry_t *source);
static int rfl_source_has_target_hosts(const rfl_source_site_t *site,
    const rfl_sources_entry_t *source);
static int rfl_source_is_explained(const rfl_source_site_t *site,
    const rfl_sources_entry_t *source, rfl_str_t host);
static rfl_rc_t rfl_source_values(rfl_source_values_t *values,
    const rfl_source_site_t *site, rfl_source_list_t list,
    const rfl_sources_entry_t *source, rfl_ended_t ended);
static rfl_rc_t rfl_source_broken(rfl_source_values_t *values,
    const rfl_source_site_t *site, const rfl_sources_entry_t *source,
    rfl_ended_t ended);
static rfl_rc_t rfl_source_owner(rfl_source_values_t *values,
    const rfl_source_site_t *site, const rfl_sources_entry_t *source,
    rfl_str_t *key, rfl_str_t *group);
static void rfl_source_json_value(rfl_buf_t *b,
    const rfl_source_values_t *values, size_t i, rfl_source_type_t type);
static void rfl_source_member(rfl_buf_t *b, const char *name, uint64_t n);
static void rfl_source_text(rfl_source_values_t *values, rfl_str_t text);
static void rfl_source_number(rfl_source_values_t *values, uint64_t n);


static const rfl_source_column_t  rfl_source_unknown_columns[] = {
    { "host",       RFL_SOURCE_TEXT },
    { "landing",    RFL_SOURCE_TEXT },
    { "clicks",     RFL_SOURCE_NUMBER },
    { "errors_4xx", RFL_SOURCE_NUMBER },
    { "errors_5xx", RFL_SOURCE_NUMBER },
    { "error",      RFL_SOURCE_NUMBER },
    { "first_seen", RFL_SOURCE_TIME },
    { "last_seen",  RFL_SOURCE_TIME },
    { NULL,         RFL_SOURCE_TEXT }
};


static const rfl_source_column_t  rfl_source_broken_columns[] = {
    { "link",       RFL_SOURCE_TEXT },
    { "group",      RFL_SOURCE_TEXT },
    { "source",     RFL_SOURCE_TEXT },
    { "host",       RFL_SOURCE_TEXT },
    { "landing",    RFL_SOURCE_TEXT },
    { "status",     RFL_SOURCE_TEXT },
    { "clicks",     RFL_SOURCE_NUMBER },
    { "error",      RFL_SOURCE_NUMBER },
    { "first_seen", RFL_SOURCE_TIME },
    { "last_seen",  RFL_SOURCE_TIME },
    { "rule",       RFL_SOURCE_TEXT },
    { NULL,         RFL_SOURCE_TEXT }
};


static const rfl_source_column_t *const  rfl_source_columns[] = {
    [RFL_SOURCES_UNKNOWN] = rfl_source_unknown_columns,
    [RFL_SOURCES_BROKEN]  = rfl_source_broken_columns
};


static const rfl_str_t  rfl_source_app = rfl_string("android-app:");


size_t
rfl_source_rows(const rfl_source_site_t *site, rfl_source_list_t list,
    const rfl_sources_entry_t *source, rfl_source_row_t rows[RFL_ENDS])
{
    size_t    n;
    unsigned  ended;

    if (rfl_source_clicks(source) < RFL_SOURCES_SHOWN) {
        return 0;
    }

    if (source->kind == RFL_SOURCE_STRANGER
        && rfl_ignored_has(site->registry, rfl_source_host(source)))
    {
        return 0;
    }

    if (list == RFL_SOURCES_UNKNOWN) {

        if (source->kind != RFL_SOURCE_STRANGER
            || !rfl_source_is_unknown(site, source))
        {
            return 0;
        }

        rows[0].value = source->rank;
        rows[0].key = rfl_source_key(source, RFL_ENDED_OK);
        rows[0].ended = RFL_ENDED_OK;

        return 1;
    }

    for (ended = RFL_ENDED_404, n = 0; ended < RFL_ENDS; ended++) {

        if (source->n[ended] != 0) {
            rows[n].value = source->n[ended];
            rows[n].key = rfl_source_key(source, ended);
            rows[n++].ended = ended;
        }
    }

    return n;
}


uint64_t
rfl_source_key(const rfl_sources_entry_t *source, rfl_ended_t ended)
{
    size_t  len;
    u_char  bytes[7 + RFL_SOURCES_TEXT];

    bytes[0] = (u_char) source->kind;
    bytes[1] = (u_char) ended;
    bytes[2] = source->host_len;
    memcpy(bytes + 3, &source->id, 4);

    len = (size_t) source->host_len + source->landing_len;
    memcpy(bytes + 7, source->text, len);

    return rfl_hash(bytes, 7 + len).low;
}


/*
 * A target may name one of the site's hosts: then it depends on which of them
 * was asked for.  The table does not know; those that were clicked do.
 */

static int
rfl_source_is_unknown(const rfl_source_site_t *site,
    const rfl_sources_entry_t *source)
{
    size_t                      i;
    u_char                      host[sizeof(site->counters->hosts->name)];
    const rfl_counters_host_t  *noted;

    if (rfl_source_is_explained(site, source, rfl_str("", 0))) {
        return 0;
    }

    if (site->counters == NULL
        || !rfl_source_has_target_hosts(site, source))
    {
        return 1;
    }

    for (i = 0; i < RFL_COUNTERS_HOSTS; i++) {
        noted = &site->counters->hosts[i];

        if (__atomic_load_n(&noted->state, __ATOMIC_ACQUIRE) != 2
            || noted->len > sizeof(host))
        {
            continue;
        }

        rfl_ignored_turn(rfl_str(noted->name, noted->len), host);

        if (rfl_source_is_explained(site, source,
                                    rfl_str(host, noted->len)))
        {
            return 0;
        }
    }

    return 1;
}


static int
rfl_source_has_target_hosts(const rfl_source_site_t *site,
    const rfl_sources_entry_t *source)
{
    size_t      len;
    u_char      surt[RFL_IGNORED_HOST];
    rfl_slot_t  slot;

    return rfl_ignored_surt(rfl_source_host(source), surt, &len) == RFL_OK
           && rfl_registry_slot(site->registry, RFL_SLOT_HOST,
                                rfl_str(surt, len), rfl_str("", 0), &slot)
              == RFL_OK
           && (slot.host_flags & RFL_HOST_TARGET_HOSTS);
}


static int
rfl_source_is_explained(const rfl_source_site_t *site,
    const rfl_sources_entry_t *source, rfl_str_t host)
{
    size_t             len;
    u_char             referer[RFL_SOURCES_TEXT + 24];
    rfl_str_t          name, scheme;
    rfl_request_t      request;
    rfl_attribution_t  attribution;

    name = rfl_source_host(source);
    scheme = rfl_cstr("https://");

    if (name.len > rfl_source_app.len
        && memcmp(name.data, rfl_source_app.data, rfl_source_app.len) == 0)
    {
        scheme = rfl_cstr("android-app://");
        name.data += rfl_source_app.len;
        name.len -= rfl_source_app.len;
    }

    memcpy(referer, scheme.data, scheme.len);
    len = scheme.len;

    memcpy(referer + len, name.data, name.len);
    len += name.len;
    referer[len++] = '/';

    memset(&request, 0, sizeof(rfl_request_t));

    request.referer = rfl_str(referer, len);
    request.landing = rfl_source_landing(source);
    request.host = host;
    request.patterns = site->patterns;

    rfl_attribute(site->registry, &request, &attribution, NULL);

    return rfl_outcome_is_match(attribution.outcome);
}


rfl_rc_t
rfl_source_json(rfl_buf_t *b, const rfl_source_site_t *site,
    rfl_source_list_t list, const rfl_sources_entry_t *source,
    rfl_ended_t ended)
{
    size_t                      i;
    rfl_rc_t                    rc;
    rfl_source_values_t         values;
    const rfl_source_column_t  *column;

    rc = rfl_source_values(&values, site, list, source, ended);
    if (rc != RFL_OK) {
        return rc;
    }

    rfl_buf_text(b, "{");

    for (i = 0, column = rfl_source_columns[list]; column[i].name != NULL; i++)
    {
        rfl_json_name(b, column[i].name);
        rfl_source_json_value(b, &values, i, column[i].type);
    }

    rfl_buf_text(b, "}");

    return RFL_OK;
}


static void
rfl_source_json_value(rfl_buf_t *b, const rfl_source_values_t *values,
    size_t i, rfl_source_type_t type)
{
    if (type == RFL_SOURCE_NUMBER) {
        rfl_buf_u64(b, values->numbers[i]);

    } else if (type == RFL_SOURCE_TIME) {
        rfl_buf_char(b, '"');
        rfl_buf_time(b, values->numbers[i]);
        rfl_buf_char(b, '"');

    } else if (values->texts[i].len != 0) {
        rfl_json_string(b, values->texts[i]);

    } else {
        rfl_buf_text(b, "null");
    }
}


rfl_rc_t
rfl_source_csv(rfl_buf_t *b, const rfl_source_site_t *site,
    rfl_source_list_t list, const rfl_sources_entry_t *source,
    rfl_ended_t ended)
{
    size_t                      i;
    rfl_rc_t                    rc;
    rfl_source_values_t         values;
    const rfl_source_column_t  *column;

    rc = rfl_source_values(&values, site, list, source, ended);

    column = rfl_source_columns[list];

    for (i = 0; rc == RFL_OK && column[i].name != NULL; i++) {

        if (column[i].type == RFL_SOURCE_NUMBER) {
            rfl_report_csv_number(b, values.numbers[i]);

        } else if (column[i].type == RFL_SOURCE_TIME) {
            rfl_report_csv_time(b, values.numbers[i]);

        } else {
            rfl_csv_field(b, values.texts[i]);
        }
    }

    if (rc == RFL_OK) {
        rfl_csv_end_row(b);
    }

    return rc;
}


void
rfl_source_csv_head(rfl_buf_t *b, rfl_source_list_t list)
{
    const rfl_source_column_t  *column;

    for (column = rfl_source_columns[list]; column->name != NULL; column++) {
        rfl_csv_field(b, rfl_cstr(column->name));
    }

    rfl_csv_end_row(b);
}


void
rfl_source_json_about(rfl_buf_t *b, const rfl_ledger_sources_t *about)
{
    rfl_json_name(b, "since");

    if (about->began != 0) {
        rfl_buf_char(b, '"');
        rfl_buf_time(b, about->began);
        rfl_buf_char(b, '"');

    } else {
        rfl_buf_text(b, "null");
    }

    rfl_source_member(b, "read", about->read);
    rfl_source_member(b, "missed", about->missed);
    rfl_source_member(b, "rows", about->rows);
    rfl_source_member(b, "forgotten_below", about->floor);
}


static void
rfl_source_member(rfl_buf_t *b, const char *name, uint64_t n)
{
    rfl_json_name(b, name);
    rfl_buf_u64(b, n);
}


static rfl_rc_t
rfl_source_values(rfl_source_values_t *values, const rfl_source_site_t *site,
    rfl_source_list_t list, const rfl_sources_entry_t *source,
    rfl_ended_t ended)
{
    values->n = 0;

    if (list == RFL_SOURCES_BROKEN) {
        return rfl_source_broken(values, site, source, ended);
    }

    rfl_source_text(values, rfl_source_host(source));
    rfl_source_text(values, rfl_source_landing(source));
    rfl_source_number(values, source->n[RFL_ENDED_OK]);
    rfl_source_number(values, source->n[RFL_ENDED_404]
                              + source->n[RFL_ENDED_410]
                              + source->n[RFL_ENDED_4XX]);
    rfl_source_number(values, source->n[RFL_ENDED_5XX]);
    rfl_source_number(values, source->before);
    rfl_source_number(values, source->first);
    rfl_source_number(values, source->last);

    return RFL_OK;
}


static rfl_rc_t
rfl_source_broken(rfl_source_values_t *values, const rfl_source_site_t *site,
    const rfl_sources_entry_t *source, rfl_ended_t ended)
{
    size_t     len;
    rfl_rc_t   rc;
    rfl_str_t  key, group;

    rc = rfl_source_owner(values, site, source, &key, &group);
    if (rc != RFL_OK) {
        return rc;
    }

    len = 0;

    if (!source->folded
        && (ended == RFL_ENDED_404 || ended == RFL_ENDED_410))
    {
        len = rfl_rule_redirect(rfl_source_landing(source),
                                values->link.target, values->rule);
    }

    rfl_source_text(values, key);
    rfl_source_text(values, group);
    rfl_source_text(values, values->link.source);
    rfl_source_text(values, rfl_source_host(source));
    rfl_source_text(values, rfl_source_landing(source));
    rfl_source_text(values, rfl_ended_names[ended]);
    rfl_source_number(values, source->n[ended]);
    rfl_source_number(values, source->before);
    rfl_source_number(values, source->first);
    rfl_source_number(values, source->last);
    rfl_source_text(values, rfl_str(values->rule, len));

    return RFL_OK;
}


/* A link that was removed is known still; of an older registry's it is not. */

static rfl_rc_t
rfl_source_owner(rfl_source_values_t *values, const rfl_source_site_t *site,
    const rfl_sources_entry_t *source, rfl_str_t *key, rfl_str_t *group)
{
    rfl_rc_t     rc;
    rfl_group_t  found;

    *key = rfl_str(NULL, 0);
    *group = rfl_str(NULL, 0);

    memset(&values->link, 0, sizeof(rfl_link_t));

    switch (source->kind) {

    case RFL_SOURCE_LINK:
        rc = rfl_registry_link(site->registry, source->id, &values->link);

        if (rc == RFL_NOT_FOUND) {
            rc = rfl_registry_retired(site->registry, source->id,
                                      &values->link);
        }

        if (rc == RFL_OK) {
            rfl_key_text(values->link.key, values->key);
            *key = rfl_str(values->key, RFL_KEY_LEN);
        }

        break;

    case RFL_SOURCE_GROUP:
        rc = rfl_registry_group(site->registry, source->id, &found);

        if (rc == RFL_OK) {
            rfl_key_text(found.key, values->group);
            *group = rfl_str(values->group, RFL_KEY_LEN);
        }

        break;

    default:
        return RFL_OK;
    }

    if (rc != RFL_OK) {
        memset(&values->link, 0, sizeof(rfl_link_t));
    }

    return rc == RFL_NOT_FOUND ? RFL_OK : rc;
}


static void
rfl_source_text(rfl_source_values_t *values, rfl_str_t text)
{
    values->texts[values->n] = text;
    values->numbers[values->n++] = 0;
}


static void
rfl_source_number(rfl_source_values_t *values, uint64_t n)
{
    values->texts[values->n] = rfl_str(NULL, 0);
    values->numbers[values->n++] = n;
}
