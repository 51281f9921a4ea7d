/* See damage.h. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <fnmatch.h>
#include <cmocka.h>

#include "damage.h"


static u_char  found_key[RFL_STORE_KEY_MAX];
static u_char  found_value[DAMAGE_ROW_MAX];


void
damage_put(rfl_store_t *s, unsigned dbi, rfl_str_t key, rfl_str_t value)
{
    rfl_error_t  err;

    assert_int_equal(rfl_store_begin(s, 1, &err), RFL_OK);
    assert_int_equal(rfl_store_put(s, dbi, key, value, 0, &err), RFL_OK);
    assert_int_equal(rfl_store_commit(s, &err), RFL_OK);
}


void
damage_del(rfl_store_t *s, unsigned dbi, rfl_str_t key)
{
    rfl_error_t  err;

    assert_int_equal(rfl_store_begin(s, 1, &err), RFL_OK);
    assert_int_equal(rfl_store_del(s, dbi, key, &err), RFL_OK);
    assert_int_equal(rfl_store_commit(s, &err), RFL_OK);
}


rfl_str_t
damage_get(rfl_store_t *s, unsigned dbi, rfl_str_t key)
{
    rfl_str_t    value;
    rfl_error_t  err;

    assert_int_equal(rfl_store_begin(s, 0, &err), RFL_OK);
    assert_int_equal(rfl_store_get(s, dbi, key, &value), RFL_OK);
    assert_true(value.len <= sizeof(found_value));

    memcpy(found_value, value.data, value.len);
    rfl_store_end(s);

    return rfl_str(found_value, value.len);
}


int
damage_seek(rfl_store_t *s, unsigned dbi, rfl_str_t key, rfl_str_t *found,
    rfl_str_t *value)
{
    rfl_rc_t       rc;
    rfl_error_t    err;
    rfl_cursor_t  *cursor;

    assert_int_equal(rfl_store_begin(s, 0, &err), RFL_OK);
    assert_int_equal(rfl_cursor_open(s, dbi, &cursor), RFL_OK);

    rc = rfl_cursor_seek(cursor, key, found, value);

    if (rc == RFL_OK) {
        assert_true(value->len <= sizeof(found_value));

        memcpy(found_key, found->data, found->len);
        memcpy(found_value, value->data, value->len);

        found->data = found_key;
        value->data = found_value;
    }

    rfl_cursor_close(cursor);
    rfl_store_end(s);

    return rc == RFL_OK;
}


void
damage_fault(void *data, const char *table, rfl_str_t text)
{
    damage_faults_t *faults = data;

    assert_true(faults->n < DAMAGE_FAULTS_MAX);

    (void) snprintf(faults->text[faults->n], sizeof(faults->text[0]),
                    "%s: %.*s", table, (int) text.len,
                    (const char *) text.data);
    faults->n++;
}


void
damage_is(const char *name, const damage_faults_t *faults,
    const char *const *wanted)
{
    size_t  i, j, used[DAMAGE_WANTED_MAX];

    memset(used, 0, sizeof(used));

    for (i = 0; i < faults->n; i++) {

        for (j = 0; wanted[j] != NULL; j++) {
            if (fnmatch(wanted[j], faults->text[i], 0) == 0) {
                used[j]++;
                break;
            }
        }

        if (wanted[j] == NULL) {
            fail_msg("%s: nobody wants \"%s\"", name, faults->text[i]);
        }
    }

    for (j = 0; wanted[j] != NULL; j++) {
        if (used[j] == 0) {
            fail_msg("%s: there is no \"%s\"", name, wanted[j]);
        }
    }
}
