/*
 * See rfl_view.h.
 *
 * An answer is a list of stages; each is called, a step at a time, until it is
 * done.  Which list it is, a table says by what is asked for; a format with
 * stages of its own is a row there.
 */

#include "rfl_view_parts.h"
#include "rfl_prometheus.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>


static void rfl_view_choose(rfl_view_t *v);
static rfl_rc_t rfl_view_init(rfl_view_t *v,
    const rfl_view_request_t *request, rfl_view_error_t *error);
static rfl_rc_t rfl_view_init_metrics(rfl_view_t *v,
    const rfl_view_request_t *request, rfl_view_error_t *error);
static rfl_rc_t rfl_view_find_runtime(rfl_view_t *v,
    const rfl_view_request_t *request, rfl_view_error_t *error);
static int rfl_view_needs_ledger(const rfl_view_t *v);
static rfl_rc_t rfl_view_init_period(rfl_view_t *v, rfl_view_error_t *error);
static rfl_rc_t rfl_view_hours_from(rfl_view_t *v, uint64_t *hours_from);
static rfl_rc_t rfl_view_hours_kept(rfl_view_t *v, rfl_history_t *h,
    uint64_t *hours_from);
static void rfl_view_hours_pruned(rfl_view_t *v, uint64_t *hours_from,
    uint32_t first_hour);
static rfl_rc_t rfl_view_day_is_whole(rfl_history_t *h, uint32_t first_hour,
    int *whole);
static rfl_rc_t rfl_view_init_rows(rfl_view_t *v, rfl_view_error_t *error);
static rfl_rc_t rfl_view_init_links(rfl_view_t *v, rfl_view_error_t *error);
static rfl_rc_t rfl_view_find_group(rfl_view_t *v, rfl_view_error_t *error);
static rfl_rc_t rfl_view_no_memory(rfl_view_error_t *error);
static rfl_rc_t rfl_view_find_link(rfl_view_t *v, rfl_view_error_t *error);
static rfl_rc_t rfl_view_run(rfl_view_t *v, rfl_buf_t *b);
static rfl_rc_t rfl_view_begin(rfl_view_t *v);
static void rfl_view_end(rfl_view_t *v);
static rfl_rc_t rfl_view_registries(rfl_view_t *v, rfl_buf_t *b);


static const rfl_view_stage_pt  rfl_view_registries_stages[] = {
    rfl_view_registries,
    NULL
};

static const rfl_view_stage_pt  rfl_view_summary_stages[] = {
    rfl_view_scan,
    rfl_view_scan_previous,
    rfl_view_zone,
    rfl_view_zone_previous,
    rfl_view_summary,
    rfl_view_rows,
    rfl_view_summary_end,
    NULL
};

static const rfl_view_stage_pt  rfl_view_summary_csv_stages[] = {
    rfl_view_scan,
    rfl_view_scan_previous,
    rfl_view_zone,
    rfl_view_zone_previous,
    rfl_view_summary_csv,
    NULL
};

static const rfl_view_stage_pt  rfl_view_links_stages[] = {
    rfl_view_find,
    rfl_view_scan,
    rfl_view_links,
    rfl_view_rows,
    rfl_view_links_end,
    NULL
};

static const rfl_view_stage_pt  rfl_view_tally_stages[] = {
    rfl_view_tally_ids,
    rfl_view_tally_sort,
    rfl_view_tally_head,
    rfl_view_tally_rows,
    rfl_view_tally_end,
    NULL
};

static const rfl_view_stage_pt  rfl_view_hosts_stages[] = {
    rfl_view_tally_ids,
    rfl_view_hosts_rank,
    rfl_view_tally_head,
    rfl_view_hosts_rows,
    rfl_view_tally_end,
    NULL
};

static const rfl_view_stage_pt  rfl_view_metrics_stages[] = {
    rfl_view_metrics_start,
    rfl_view_metrics,
    NULL
};

static const rfl_view_stage_pt  rfl_view_link_stages[] = {
    rfl_view_link,
    NULL
};

static const rfl_view_stage_pt  rfl_view_sources_stages[] = {
    rfl_view_sources_find,
    rfl_view_sources,
    NULL
};

static const rfl_view_stage_pt  rfl_view_ignored_stages[] = {
    rfl_view_ignored,
    NULL
};

static const rfl_view_stage_pt  rfl_view_history_stages[] = {
    rfl_view_history,
    rfl_view_buckets,
    NULL
};


#define RFL_VIEW_JSON  (1u << RFL_FORMAT_JSON)
#define RFL_VIEW_CSV   (1u << RFL_FORMAT_CSV)
#define RFL_VIEW_PROM  (1u << RFL_FORMAT_PROMETHEUS)

static const struct {
    rfl_query_kind_t          kind;
    unsigned                  formats;
    const rfl_view_stage_pt  *stages;
    const char               *file;      /* a part of its name */
} rfl_view_answers[] = {

    { RFL_QUERY_REGISTRIES, RFL_VIEW_JSON, rfl_view_registries_stages, "" },
    { RFL_QUERY_SUMMARY, RFL_VIEW_JSON, rfl_view_summary_stages, "" },
    { RFL_QUERY_SUMMARY, RFL_VIEW_CSV, rfl_view_summary_csv_stages,
      "summary" },

    { RFL_QUERY_LINKS, RFL_VIEW_JSON|RFL_VIEW_CSV, rfl_view_links_stages,
      "links" },
    { RFL_QUERY_LINK, RFL_VIEW_JSON|RFL_VIEW_CSV, rfl_view_link_stages,
      "link" },
    { RFL_QUERY_LINK_HISTORY, RFL_VIEW_JSON|RFL_VIEW_CSV,
      rfl_view_history_stages, "link-history" },
    { RFL_QUERY_HISTORY, RFL_VIEW_JSON|RFL_VIEW_CSV,
      rfl_view_history_stages, "history" },

    { RFL_QUERY_HOSTS, RFL_VIEW_JSON|RFL_VIEW_CSV, rfl_view_hosts_stages,
      "hosts" },
    { RFL_QUERY_CHANNELS, RFL_VIEW_JSON|RFL_VIEW_CSV, rfl_view_tally_stages,
      "channels" },
    { RFL_QUERY_PARTNERS, RFL_VIEW_JSON|RFL_VIEW_CSV, rfl_view_tally_stages,
      "partners" },
    { RFL_QUERY_LABELS, RFL_VIEW_JSON|RFL_VIEW_CSV, rfl_view_tally_stages,
      "labels" },

    { RFL_QUERY_SOURCES, RFL_VIEW_JSON|RFL_VIEW_CSV, rfl_view_sources_stages,
      "sources" },
    { RFL_QUERY_BROKEN, RFL_VIEW_JSON|RFL_VIEW_CSV, rfl_view_sources_stages,
      "broken" },
    { RFL_QUERY_IGNORED, RFL_VIEW_JSON|RFL_VIEW_CSV, rfl_view_ignored_stages,
      "ignored" },

    { RFL_QUERY_METRICS, RFL_VIEW_PROM, rfl_view_metrics_stages, "" }
};

#define RFL_VIEW_NANSWERS                                                     \
    (sizeof(rfl_view_answers) / sizeof(rfl_view_answers[0]))


static const rfl_str_t  rfl_view_types[RFL_FORMATS] = {
    [RFL_FORMAT_JSON] = rfl_string("application/json"),
    [RFL_FORMAT_HTML] = rfl_string("text/html; charset=utf-8"),
    [RFL_FORMAT_CSV]  = rfl_string("text/csv; charset=utf-8; header=present"),
    [RFL_FORMAT_PROMETHEUS] = rfl_string(RFL_PROMETHEUS_TYPE)
};


rfl_rc_t
rfl_view_open(rfl_view_t **vp, const rfl_view_request_t *request,
    rfl_view_error_t *error)
{
    rfl_rc_t             rc;
    rfl_view_t          *v;
    rfl_query_request_t  asked;

    *vp = NULL;

    v = calloc(1, sizeof(rfl_view_t));
    if (v == NULL) {
        return rfl_query_refuse(error, 500, "NoMemory", "out of memory");
    }

    asked.path = request->path;
    asked.args = request->args;
    asked.accept = request->accept;
    asked.all = request->all;
    asked.html = request->html;
    asked.now = (uint64_t) time(NULL);

    (void) rfl_query_refuse(&v->fault, 503, "ReadFailed",
                            "reading failed midway, the error log says why");

    rc = rfl_query_read(&v->query, &asked, error);

    if (rc == RFL_OK) {
        rc = rfl_view_init(v, request, error);
    }

    if (rc != RFL_OK) {
        rfl_view_close(v);
        return rc;
    }

    *vp = v;

    return RFL_OK;
}


void
rfl_view_close(rfl_view_t *v)
{
    rfl_view_metrics_close(v);
    rfl_view_tally_close(v);
    rfl_top_free(&v->top);
    free(v->found);
    free(v);
}


rfl_format_t
rfl_view_format(const rfl_view_t *v)
{
    return v->query.format;
}


rfl_str_t
rfl_view_content_type(const rfl_view_t *v)
{
    return rfl_view_types[v->query.format];
}


/* Registries have letters, digits, "-" and "_" in their names. */

void
rfl_view_file_name(const rfl_view_t *v, char name[RFL_VIEW_FILE_MAX])
{
    u_char  key[RFL_KEY_LEN];

    name[0] = '\0';

    if (!rfl_view_is_csv(v)) {
        return;
    }

    rfl_key_text(v->query.link_key, key);

    (void) snprintf(name, RFL_VIEW_FILE_MAX, "%.64s-%s%s%.*s.csv",
                    v->rt->conf->name, v->file,
                    v->query.link_key != 0 ? "-" : "",
                    v->query.link_key != 0 ? RFL_KEY_LEN : 0, key);
}


const rfl_view_error_t *
rfl_view_fault(const rfl_view_t *v)
{
    return &v->fault;
}


/* None: the caller answers, with its page. */

static void
rfl_view_choose(rfl_view_t *v)
{
    size_t  i;

    for (i = 0; i < RFL_VIEW_NANSWERS; i++) {
        if (rfl_view_answers[i].kind == v->query.kind
            && (rfl_view_answers[i].formats & (1u << v->query.format)))
        {
            v->stage = rfl_view_answers[i].stages;
            v->file = rfl_view_answers[i].file;
            return;
        }
    }
}


static rfl_rc_t
rfl_view_init(rfl_view_t *v, const rfl_view_request_t *request,
    rfl_view_error_t *error)
{
    rfl_rc_t  rc;

    v->runtimes = request->runtimes;
    v->nruntimes = request->n;
    v->write = request->write;

    rfl_view_choose(v);

    if (v->query.kind == RFL_QUERY_REGISTRIES) {
        return RFL_OK;
    }

    if (v->query.kind == RFL_QUERY_METRICS) {
        return rfl_view_init_metrics(v, request, error);
    }

    rc = rfl_view_find_runtime(v, request, error);

    v->query.registry = rfl_str(NULL, 0);

    if (rc != RFL_OK || v->query.format == RFL_FORMAT_HTML) {
        return rc;
    }

    if (v->stage == NULL) {
        return rfl_query_refuse(error, 404, "PathUnknown",
                                "there is nothing under this path");
    }

    if (v->rt->registry == NULL && !rfl_view_says_faults(v)
        && v->query.kind != RFL_QUERY_HISTORY)
    {
        return rfl_query_refuse(error, 503, "RegistryUnavailable", "%s",
                                v->rt->registry_error.text);
    }

    if (v->rt->ledger == NULL && rfl_view_needs_ledger(v)) {
        return rfl_query_refuse(error, 503, "LedgerUnavailable", "%s",
                                v->rt->ledger_error.text);
    }

    if (v->query.period.has_from) {
        rc = rfl_view_init_period(v, error);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    return rfl_view_init_rows(v, error);
}


/* Its stages begin and end the transactions of each registry themselves. */

static rfl_rc_t
rfl_view_init_metrics(rfl_view_t *v, const rfl_view_request_t *request,
    rfl_view_error_t *error)
{
    rfl_rc_t  rc;

    if (v->query.registry.len != 0) {
        rc = rfl_view_find_runtime(v, request, error);

        v->query.registry = rfl_str(NULL, 0);

        if (rc != RFL_OK) {
            return rc;
        }

        v->only = v->rt;
        v->rt = NULL;
        v->runtimes = &v->only;
        v->nruntimes = 1;
    }

    return rfl_view_metrics_open(v) == RFL_OK ? RFL_OK
                                              : rfl_view_no_memory(error);
}


static rfl_rc_t
rfl_view_find_runtime(rfl_view_t *v, const rfl_view_request_t *request,
    rfl_view_error_t *error)
{
    size_t  i;

    if (!request->all) {
        v->rt = request->runtimes[0];
        return RFL_OK;
    }

    for (i = 0; i < request->n; i++) {
        if (rfl_str_eq(v->query.registry,
                       rfl_cstr(request->runtimes[i]->conf->name)))
        {
            v->rt = request->runtimes[i];
            return RFL_OK;
        }
    }

    return rfl_query_refuse(error, 404, "RegistryUnknown",
                            "there is no registry of this name");
}


/* History is the ledger's alone, and lists would show too little without it. */

static int
rfl_view_needs_ledger(const rfl_view_t *v)
{
    if (v->query.period.has_from) {
        return 1;
    }

    /* before the first flush there is none */

    return !rfl_view_says_faults(v)
           && v->rt->ledger_error.rc != RFL_NOT_FOUND;
}


static rfl_rc_t
rfl_view_init_period(rfl_view_t *v, rfl_view_error_t *error)
{
    rfl_rc_t             rc;
    uint64_t             hours_from;
    rfl_query_period_t  *asked;

    asked = &v->query.period;

    if (v->query.kind == RFL_QUERY_HISTORY
        || v->query.kind == RFL_QUERY_LINK_HISTORY)
    {
        return RFL_OK;
    }

    rc = rfl_view_hours_from(v, &hours_from);
    if (rc != RFL_OK) {
        return rfl_query_refuse(error, 503, "LedgerUnavailable",
                                "the ledger cannot be read");
    }

    rc = rfl_period_init(&v->period, asked->from, asked->to, hours_from);
    if (rc != RFL_OK) {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "from: no such period");
    }

    if (!asked->compare) {
        return RFL_OK;
    }

    rc = rfl_period_previous(&v->previous, &v->period, hours_from);
    if (rc != RFL_OK) {
        return rfl_query_refuse(error, 400, "ParameterInvalid",
                                "compare: the period before would begin "
                                "before 1970");
    }

    return RFL_OK;
}


static rfl_rc_t
rfl_view_hours_from(rfl_view_t *v, uint64_t *hours_from)
{
    rfl_rc_t       rc;
    rfl_history_t  history;

    *hours_from = 0;

    rc = rfl_ledger_begin(v->rt->ledger, NULL);
    if (rc != RFL_OK) {
        return rc;
    }

    history = rfl_ledger_history(v->rt->ledger);

    rc = rfl_view_hours_kept(v, &history, hours_from);

    rfl_ledger_end(v->rt->ledger);

    return rc;
}


/*
 * Hours before the first one may be missing because they were pruned, or
 * because nothing came then: where the hours of its day give the day, and
 * there is no day before, none is missing.
 */

static rfl_rc_t
rfl_view_hours_kept(rfl_view_t *v, rfl_history_t *h, uint64_t *hours_from)
{
    int       whole;
    rfl_rc_t  rc;
    uint32_t  first_hour, first_day;

    rc = rfl_history_first(h, RFL_UNIT_DAY, &first_day);

    if (rc != RFL_OK) {
        return rc == RFL_NOT_FOUND ? RFL_OK : rc;
    }

    whole = 0;

    rc = rfl_history_first(h, RFL_UNIT_HOUR, &first_hour);

    if (rc == RFL_NOT_FOUND) {
        *hours_from = UINT64_MAX;
        return RFL_OK;
    }

    if (rc == RFL_OK) {
        rc = rfl_view_day_is_whole(h, first_hour, &whole);
    }

    if (rc != RFL_OK) {
        return rc;
    }

    if (whole) {
        first_hour -= first_hour % 24;
    }

    if (!whole || first_day < first_hour / 24) {
        *hours_from = (uint64_t) first_hour * rfl_unit_seconds[RFL_UNIT_HOUR];
    }

    rfl_view_hours_pruned(v, hours_from, first_hour);

    return RFL_OK;
}


/* Of hours that are being pruned, some at a time, none can be relied on. */

static void
rfl_view_hours_pruned(rfl_view_t *v, uint64_t *hours_from,
    uint32_t first_hour)
{
    uint64_t  keep, now, pruned, seconds;

    now = (uint64_t) time(NULL);
    keep = v->rt->conf->keep.seconds[RFL_UNIT_HOUR];
    seconds = rfl_unit_seconds[RFL_UNIT_HOUR];

    if (keep == 0 || now < keep) {
        return;
    }

    pruned = now - keep + seconds;

    if (first_hour * seconds < pruned - seconds && *hours_from < pruned) {
        *hours_from = pruned;
    }
}


static rfl_rc_t
rfl_view_day_is_whole(rfl_history_t *h, uint32_t first_hour, int *whole)
{
    rfl_rc_t    rc;
    uint32_t    hour, end;
    rfl_zone_t  hours, day;

    memset(&hours, 0, sizeof(rfl_zone_t));
    memset(&day, 0, sizeof(rfl_zone_t));

    *whole = 0;
    end = first_hour - first_hour % 24 + 24;

    for (hour = first_hour; hour < end; hour++) {
        rc = rfl_history_zone(h, RFL_UNIT_HOUR, hour, &hours);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    rc = rfl_history_zone(h, RFL_UNIT_DAY, first_hour / 24, &day);

    *whole = (rc == RFL_OK && memcmp(&hours, &day, sizeof(rfl_zone_t)) == 0);

    return rc;
}


static rfl_rc_t
rfl_view_init_rows(rfl_view_t *v, rfl_view_error_t *error)
{
    rfl_rc_t  rc;

    switch (v->query.kind) {

    case RFL_QUERY_LINK:
    case RFL_QUERY_LINK_HISTORY:
        return rfl_view_find_link(v, error);

    case RFL_QUERY_HISTORY:
        return RFL_OK;

    case RFL_QUERY_SUMMARY:
        v->query.page.limit = RFL_VIEW_TOP;

        return rfl_top_init(&v->top, RFL_VIEW_TOP, 0) == RFL_OK
               ? RFL_OK : rfl_view_no_memory(error);

    case RFL_QUERY_LINKS:
        return rfl_view_init_links(v, error);

    case RFL_QUERY_SOURCES:
    case RFL_QUERY_BROKEN:

        /* one more than shown tells whether there is a next page */

        return rfl_top_init(&v->top, v->query.page.limit + 1, 0) == RFL_OK
               ? RFL_OK : rfl_view_no_memory(error);

    case RFL_QUERY_IGNORED:
        return RFL_OK;

    default:
        rc = rfl_view_tally_open(v);

        if (rc == RFL_BUSY) {
            return rfl_query_refuse(error, 503, "SumsBusy", "other clients "
                                    "of this process are being sent sums: "
                                    "try again");
        }

        return rc == RFL_OK ? RFL_OK : rfl_view_no_memory(error);
    }
}


/* One row more than shown tells whether there is a next page. */

static rfl_rc_t
rfl_view_init_links(rfl_view_t *v, rfl_view_error_t *error)
{
    size_t             max;
    rfl_rc_t           rc;
    rfl_query_page_t  *page;

    page = &v->query.page;
    max = page->limit <= RFL_QUERY_LIMIT_MAX ? page->limit + 1
                                             : RFL_VIEW_FOUND_MAX;
    v->last_key = page->has_after ? page->after_key : 0;

    if (v->query.has_group) {
        rc = rfl_view_find_group(v, error);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    v->has_index = v->query.has_group
                   || rfl_filter_has(&v->query.filter, RFL_FILTER_HOST);

    if (v->has_index) {
        v->found = malloc(RFL_VIEW_FOUND_MAX * sizeof(uint32_t));
        if (v->found == NULL) {
            return rfl_view_no_memory(error);
        }

    } else if (page->by_key) {
        return RFL_OK;
    }

    return rfl_top_init(&v->top, max, page->ascending) == RFL_OK
           ? RFL_OK : rfl_view_no_memory(error);
}


static rfl_rc_t
rfl_view_find_group(rfl_view_t *v, rfl_view_error_t *error)
{
    rfl_rc_t     rc;
    rfl_group_t  group;

    rc = rfl_registry_begin(v->rt->registry, 0, NULL);

    if (rc == RFL_OK) {
        rc = rfl_registry_by_group_key(v->rt->registry, v->query.group_key,
                                       &group);
        rfl_registry_end(v->rt->registry);
    }

    if (rc == RFL_NOT_FOUND) {
        return rfl_query_refuse(error, 404, "GroupUnknown",
                                "no group of links has this key");
    }

    if (rc != RFL_OK) {
        return rfl_query_refuse(error, 503, "RegistryUnavailable",
                                "the registry cannot be read");
    }

    v->group_id = group.id;

    return RFL_OK;
}


static rfl_rc_t
rfl_view_no_memory(rfl_view_error_t *error)
{
    return rfl_query_refuse(error, 500, "NoMemory", "out of memory");
}


static rfl_rc_t
rfl_view_find_link(rfl_view_t *v, rfl_view_error_t *error)
{
    rfl_rc_t    rc;
    rfl_link_t  link;

    rc = rfl_registry_begin(v->rt->registry, 0, NULL);

    if (rc == RFL_OK) {
        rc = rfl_registry_by_key(v->rt->registry, v->query.link_key, &link);
        rfl_registry_end(v->rt->registry);
    }

    if (rc == RFL_NOT_FOUND) {
        return rfl_query_refuse(error, 404, "LinkUnknown",
                                "no link is registered under this key");
    }

    if (rc != RFL_OK) {
        return rfl_query_refuse(error, 503, "RegistryUnavailable",
                                "the registry cannot be read");
    }

    v->link_id = link.id;

    return RFL_OK;
}


rfl_rc_t
rfl_view_step(rfl_view_t *v, rfl_buf_t *b)
{
    rfl_rc_t  rc;

    rc = rfl_view_begin(v);
    if (rc != RFL_OK) {
        return rc;
    }

    v->buckets = RFL_VIEW_STEP_BUCKETS;
    v->work = RFL_VIEW_STEP_IDS;
    v->ahead.n = 0;

    rc = rfl_view_run(v, b);

    rfl_view_end(v);

    return b->failed ? RFL_NO_MEMORY : rc;
}


/* A stage that has nothing to do takes no step. */

static rfl_rc_t
rfl_view_run(rfl_view_t *v, rfl_buf_t *b)
{
    size_t    len;
    rfl_rc_t  rc;

    len = b->len;

    do {
        rc = (*v->stage)(v, b);

        if (rc != RFL_OK) {
            return rc;
        }

        v->stage++;

        if (*v->stage == NULL) {
            return RFL_OK;
        }

    } while (v->work == RFL_VIEW_STEP_IDS
             && v->buckets == RFL_VIEW_STEP_BUCKETS && b->len == len);

    return RFL_BUSY;
}


/*
 * The environments may have been closed since the last step.  A summary of
 * totals, unless it is CSV, does without the registry or the ledger: it says
 * why they are not there.
 */

static rfl_rc_t
rfl_view_begin(rfl_view_t *v)
{
    rfl_rc_t        rc;
    rfl_runtime_t  *rt;

    rt = v->rt;

    if (rt == NULL) {
        return RFL_OK;
    }

    if ((rt->registry == NULL && !rfl_view_says_faults(v)
         && v->query.kind != RFL_QUERY_HISTORY)
        || (rt->ledger == NULL && rfl_view_needs_ledger(v)))
    {
        return RFL_NOT_FOUND;
    }

    if (rt->registry != NULL) {
        rc = rfl_registry_begin(rt->registry, 0, NULL);
        if (rc != RFL_OK) {
            return rc;
        }
    }

    if (rt->ledger != NULL) {
        rc = rfl_ledger_begin(rt->ledger, NULL);

        if (rc == RFL_OK) {
            v->history = rfl_ledger_history(rt->ledger);

        } else if (rfl_view_says_faults(v) && !rfl_view_needs_ledger(v)) {
            v->ledger_failed = 1;

        } else {
            if (rt->registry != NULL) {
                rfl_registry_end(rt->registry);
            }

            return rc;
        }
    }

    v->totals = rfl_runtime_totals(rt);

    if (v->ledger_failed) {
        v->totals.ledger = NULL;
    }

    return RFL_OK;
}


static void
rfl_view_end(rfl_view_t *v)
{
    if (v->rt == NULL) {
        return;
    }

    if (v->rt->ledger != NULL) {
        rfl_ledger_end(v->rt->ledger);
    }

    if (v->rt->registry != NULL) {
        rfl_registry_end(v->rt->registry);
    }
}


/*
 * Sums a period as far as this step may; RFL_OK: the sums are in v->merge.
 * Call it again with the same arguments until then.
 */

rfl_rc_t
rfl_view_merge(rfl_view_t *v, rfl_merge_kind_t kind,
    const rfl_period_t *period, uint32_t id)
{
    rfl_rc_t  rc;

    if (!v->merging) {
        rfl_merge_start(&v->merge, kind, period, id);
        v->merging = 1;
    }

    rc = rfl_merge_step(&v->merge, &v->history, &v->buckets);

    if (rc == RFL_OK) {
        v->merging = 0;
    }

    return rc;
}


rfl_rc_t
rfl_view_next_id(rfl_view_pass_t *pass, const rfl_totals_t *totals,
    rfl_registry_t *registry)
{
    rfl_rc_t  rc;

    pass->next++;

    if (pass->next % RFL_HISTORY_BLOCK != 0 || pass->next >= pass->end) {
        return RFL_OK;
    }

    if (pass->occupied) {
        pass->occupied = 0;
        return RFL_OK;
    }

    rc = rfl_totals_next_id(totals, registry, &pass->next);

    if (rc == RFL_NOT_FOUND) {
        pass->next = pass->end;
        rc = RFL_OK;
    }

    return rc;
}


static rfl_rc_t
rfl_view_registries(rfl_view_t *v, rfl_buf_t *b)
{
    size_t  i;

    rfl_buf_text(b, "{");
    rfl_json_name(b, "registries");
    rfl_buf_text(b, "[");

    for (i = 0; i < v->nruntimes; i++) {
        rfl_json_item(b);
        rfl_json_string(b, rfl_cstr(v->runtimes[i]->conf->name));
    }

    rfl_buf_text(b, "]}\n");

    return RFL_OK;
}


/* The members "period" and "previous", if there are such. */

void
rfl_view_periods(rfl_view_t *v, rfl_buf_t *b)
{
    if (v->period.nranges != 0) {
        rfl_view_period(b, "period", &v->period);
    }

    if (v->previous.nranges != 0) {
        rfl_view_period(b, "previous", &v->previous);
    }
}


void
rfl_view_cursor(rfl_buf_t *b, const rfl_top_row_t *last)
{
    rfl_buf_fmt(b, "\"%llu-%016llx\"", (unsigned long long) last->value,
                (unsigned long long) last->key);
}


void
rfl_view_period(rfl_buf_t *b, const char *name, const rfl_period_t *period)
{
    rfl_json_name(b, name);
    rfl_buf_text(b, "{");
    rfl_report_span(b, period->from, period->to);
    rfl_buf_text(b, "}");
}


void
rfl_view_member_u64(rfl_buf_t *b, const char *name, uint64_t n)
{
    rfl_json_name(b, name);
    rfl_buf_u64(b, n);
}


void
rfl_view_error(rfl_buf_t *b, const rfl_view_error_t *error,
    rfl_str_t request_id)
{
    rfl_buf_text(b, "{");
    rfl_json_name(b, "error");
    rfl_buf_text(b, "{");
    rfl_view_member_u64(b, "status", error->status);
    rfl_json_name(b, "code");
    rfl_json_string(b, rfl_cstr(error->code));
    rfl_json_name(b, "text");
    rfl_json_string(b, rfl_cstr(error->text));
    rfl_buf_text(b, "}");
    rfl_json_name(b, "request_id");
    rfl_json_string(b, request_id);
    rfl_buf_text(b, "}\n");
}
