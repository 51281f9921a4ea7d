/*
 * What the subcommands of referralctl share: options, messages, opening a
 * registry with its totals, walking its links, and text that is safe to show
 * on a terminal.
 *
 * A subcommand is one file with one cli_command_t; main.c has the table.
 */

#ifndef CLI_H
#define CLI_H

#include "rfl_filter.h"
#include "rfl_issue.h"

#include <getopt.h>
#include <stdio.h>


#define CLI_OK      0                /* exit codes */
#define CLI_FAILED  1
#define CLI_USAGE   2

#define CLI_STOPPED  -1              /* none: cli->status is the exit code */

#define CLI_DIR  "/var/lib/nginx/referral"


typedef struct cli_command_s  cli_command_t;


typedef struct {
    const char           *dir;
    const cli_command_t  *command;
    int                   status;        /* when cli_option() says stop */
    uid_t                 owner_uid;
    gid_t                 owner_gid;
    unsigned              json:1;
    unsigned              keep_caller:1; /* cli_as_caller() will be called */
    unsigned              switched:1;    /* runs as the directory's owner */
    unsigned              output_failed:1;  /* and that was said */
} cli_t;


struct cli_command_s {
    const char  *name;
    const char  *arguments;
    const char  *summary;                /* for the list of commands */
    const char  *help;                   /* its options and notes */
    int        (*run)(cli_t *cli, int argc, char **argv);
};


extern const cli_command_t  cli_add;
extern const cli_command_t  cli_backup;
extern const cli_command_t  cli_check;
extern const cli_command_t  cli_compact;
extern const cli_command_t  cli_export;
extern const cli_command_t  cli_history;
extern const cli_command_t  cli_ignore;
extern const cli_command_t  cli_import;
extern const cli_command_t  cli_init;
extern const cli_command_t  cli_list;
extern const cli_command_t  cli_match;
extern const cli_command_t  cli_rm;
extern const cli_command_t  cli_set;
extern const cli_command_t  cli_show;
extern const cli_command_t  cli_sources;
extern const cli_command_t  cli_top;


/*
 * getopt_long() with the options every subcommand has.  Returns an option of
 * the subcommand, -1 at their end, or CLI_OPTION_STOP: help was asked for or
 * the usage was wrong, and the subcommand returns cli->status.  Values from
 * CLI_OPTION_FIRST on are the subcommand's.
 */

#define CLI_OPTION_STOP   '?'
#define CLI_OPTION_DIR    'd'
#define CLI_OPTION_HELP   'h'
#define CLI_OPTION_JSON   1
#define CLI_OPTION_FIRST  256

#define cli_common_options                                                    \
    { "dir", required_argument, NULL, CLI_OPTION_DIR },                       \
    { "json", no_argument, NULL, CLI_OPTION_JSON },                           \
    { "help", no_argument, NULL, CLI_OPTION_HELP }

int cli_option(cli_t *cli, int argc, char **argv,
    const struct option *options);

/* What was wrong with the option getopt_long() has just refused. */

int cli_option_refused(const cli_t *cli, int opt, char **argv);


/*
 * Messages on standard error, "referralctl: WHAT: WHY", whatever bytes they
 * hold.  usage also says where help is.  Each returns its exit code.
 */

int cli_fail(const char *what, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int cli_wrong_usage(const cli_t *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void cli_warn(const char *what, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The same of a text of any length: a message is cut at 1,535 bytes. */

void cli_warn_text(const char *what, rfl_str_t text);

/* "FIELD=VALUE": RFL_OK, or a message and CLI_USAGE in *status. */

rfl_rc_t cli_assignment(const cli_t *cli, const char *text,
    const rfl_link_field_t **field, rfl_str_t *value, int *status);

/* A decimal number from min to max. */

rfl_rc_t cli_number(const char *text, uint64_t min, uint64_t max,
    uint64_t *n);


/*
 * An open registry.  TOTALS: the ledger and, when nginx runs, its counters;
 * LEDGER: without these.  CREATE makes what is missing in a directory that
 * exists, and prepares for new ids: none that a cell was ever counted under
 * is issued again.  It makes no registry beside another one's ledger.
 */

#define CLI_OPEN_READ    0
#define CLI_OPEN_WRITE   1
#define CLI_OPEN_CREATE  2
#define CLI_OPEN_TOTALS  4
#define CLI_OPEN_LEDGER  8

typedef struct {
    rfl_registry_t  *registry;
    rfl_totals_t     totals;
} cli_env_t;

int cli_open(cli_t *cli, cli_env_t *env, unsigned flags);
void cli_close(cli_env_t *env);

/*
 * What cli_open() begins with: whether the directory is there, and becoming
 * its owner.  has_data: whether its environment of this name is there.
 */

int cli_use_dir(cli_t *cli);
int cli_has_data(const cli_t *cli, const char *name);

/* A directory that is open: 1, 0, or -1 and why it is not known in errno. */

int cli_is_empty(int fd);


/*
 * A write transaction that changes links: rfl_issue_begin() and _commit(), with
 * a word where cells are missing.  RFL_DENIED: the links are those of a file
 * that nginx follows.
 */

rfl_rc_t cli_begin_write(cli_env_t *env, rfl_error_t *err);
rfl_rc_t cli_commit(cli_env_t *env, rfl_error_t *err);

/* Both environments' read transactions. */

rfl_rc_t cli_begin_read(cli_env_t *env, rfl_error_t *err);
void cli_end_read(cli_env_t *env);


/*
 * Run by root, the command works as the owner of the directory; files of the
 * caller (a list of refused rows) are made as the caller.
 */

int cli_take_identity(cli_t *cli, uid_t uid, gid_t gid);
void cli_as_caller(const cli_t *cli);
void cli_as_owner(const cli_t *cli);


/*
 * Calls handler for each link, in the order of their sources, and writes what
 * it appended to out.  The links are read in batches, none while output is
 * written: a reader that waits for a pipe would make the registry's file
 * grow.  filter: of it the host alone.  state: only links in it, which takes
 * the totals.
 */

typedef rfl_rc_t (*cli_link_pt)(void *data, cli_env_t *env, rfl_link_t *link,
    rfl_buf_t *out);

typedef struct {
    rfl_filter_t   filter;
    rfl_state_t    state;            /* RFL_STATES: any */
    uint64_t       limit;
    cli_link_pt    handler;
    void          *data;
} cli_walk_t;

int cli_walk(cli_t *cli, cli_env_t *env, const cli_walk_t *walk);

/* The same links as {"links":[...]}; sets walk's handler. */

int cli_walk_json(cli_t *cli, cli_env_t *env, cli_walk_t *walk);

/* One link as JSON, in a transaction of its own. */

int cli_print_link(cli_t *cli, cli_env_t *env, uint64_t key);

/* Writes and empties the buffer; exit code. */

int cli_write(cli_t *cli, rfl_buf_t *b);


/*
 * Text for people: controls, bytes that are no UTF-8 and what turns the
 * direction of writing become \xNN, so that no name can drive the terminal.
 * Returns how many columns it takes: two of a wide character (UAX #11), none
 * of a mark on the one before.
 */

size_t cli_safe(rfl_buf_t *b, rfl_str_t s);

/* The same, of at most width columns: "..." ends what was cut. */

size_t cli_safe_cut(rfl_buf_t *b, rfl_str_t s, size_t width);

/* The first character of s (not empty), or a byte that is none; its columns. */

rfl_str_t cli_safe_first(rfl_str_t s);
size_t cli_safe_width(rfl_str_t s);


/* Columns of the terminal behind standard output: $COLUMNS, or what it says. */

size_t cli_screen_width(void);

/* Whether colours are wanted there: not with NO_COLOR, not on "dumb" ones. */

int cli_has_colours(void);


/*
 * A terminal of which the command takes all of the screen, until it closes it.
 * open: RFL_INVALID if standard output is none, or knows no sequences.  wait:
 * a key that was pressed, or one of the below.  show: the frame's lines, cut
 * and padded by the caller; what was there is written over, so that nothing
 * flickers.  keep: messages go to b, not to the screen (NULL: no longer).
 */

#define CLI_SCREEN_TIMEOUT  0
#define CLI_SCREEN_RESIZED  -1
#define CLI_SCREEN_QUIT     -2           /* a signal */

rfl_rc_t cli_screen_open(void);
void cli_screen_close(void);
void cli_screen_size(size_t *columns, size_t *lines);
int cli_screen_wait(unsigned ms);
int cli_screen_show(rfl_buf_t *frame);

void cli_keep_messages(rfl_buf_t *b);


/* What people know a link by: its source, or its tag if it has none. */

rfl_str_t cli_link_name(const rfl_link_t *link);

/*
 * A group's, added to name: a host as it is written with the path of its
 * pages, or "tag TAG"; to target the page they lead to, if they share one.
 */

void cli_group_name(const rfl_group_t *group, rfl_buf_t *name,
    rfl_buf_t *target);

/* "--listed-first" for the field listed_first; out: CLI_OPTION_NAME bytes. */

#define CLI_OPTION_NAME  32

void cli_option_name(const rfl_link_field_t *field, char *out);


#endif /* CLI_H */
