/* See rfl_ignored.h. */

#include "rfl_ignored.h"
#include "rfl_registry_parts.h"
#include "rfl_varint.h"

#include <stdlib.h>


#define RFL_IGNORED_VERSION  1
#define RFL_IGNORED_KEY      "ignored/"
#define RFL_IGNORED_KEY_LEN  (sizeof(RFL_IGNORED_KEY) - 1)
#define RFL_IGNORED_KEY_MAX  (RFL_IGNORED_KEY_LEN + RFL_IGNORED_HOST)


static rfl_str_t rfl_ignored_key(u_char *buf, rfl_str_t surt);
static rfl_rc_t rfl_ignored_read(rfl_ignored_place_t *place, rfl_str_t key,
    rfl_str_t value);


static const rfl_str_t  rfl_ignored_app = rfl_string("android-app:");


rfl_rc_t
rfl_ignored_parse(rfl_str_t text, u_char *out, size_t *len, rfl_error_t *err)
{
    size_t           n;
    u_char           surt[RFL_IGNORED_HOST];
    rfl_rc_t         rc;
    rfl_identity_t  *id;

    id = malloc(sizeof(rfl_identity_t));
    if (id == NULL) {
        return rfl_fail(err, RFL_NO_MEMORY, "out of memory");
    }

    rc = rfl_identity_shown(text, id, err);

    if (rc == RFL_OK) {
        *len = id->source.host_len;
        rfl_ignored_turn(rfl_str(id->source.buf, id->source.host_len), out);

        /* of "www.www.a.example" another "www." is left to be cut */

        while (rfl_ignored_surt(rfl_str(out, *len), surt, &n) == RFL_OK
               && n < *len)
        {
            *len = n;
            rfl_ignored_turn(rfl_str(surt, n), out);
        }
    }

    free(id);

    return rc;
}


/* "example,blog" to "blog.example"; what has no comma is its own. */

void
rfl_ignored_turn(rfl_str_t surt, u_char *out)
{
    size_t   end, start;
    u_char  *p;

    p = out;

    for (end = surt.len; end != 0; end = start != 0 ? start - 1 : 0) {

        for (start = end; start != 0 && surt.data[start - 1] != ','; start--) {
            /* void */
        }

        memcpy(p, surt.data + start, end - start);
        p += end - start;

        if (start != 0) {
            *p++ = '.';
        }
    }
}


rfl_rc_t
rfl_ignored_surt(rfl_str_t host, u_char *out, size_t *len)
{
    size_t     i;
    rfl_url_t  url;

    if (host.len > rfl_ignored_app.len
        && memcmp(host.data, rfl_ignored_app.data, rfl_ignored_app.len) == 0)
    {
        if (host.len > RFL_IGNORED_HOST) {
            return RFL_INVALID;
        }

        for (i = 0; i < host.len; i++) {
            out[i] = rfl_lower(host.data[i]);
        }

        *len = host.len;

        return RFL_OK;
    }

    if (rfl_url_parse_host(host, &url, NULL) != RFL_OK) {
        return RFL_INVALID;
    }

    *len = rfl_surt_host(&url, out);

    return RFL_OK;
}


int
rfl_ignored_has(rfl_registry_t *r, rfl_str_t host)
{
    size_t     len;
    u_char     surt[RFL_IGNORED_HOST], buf[RFL_IGNORED_KEY_MAX];
    rfl_str_t  value;

    if (rfl_ignored_surt(host, surt, &len) != RFL_OK) {
        return 0;
    }

    for ( ;; ) {

        if (rfl_store_get(rfl_registry_store(r), RFL_DBI_META,
                          rfl_ignored_key(buf, rfl_str(surt, len)), &value)
            == RFL_OK)
        {
            return 1;
        }

        while (len != 0 && surt[len - 1] != ',') {
            len--;
        }

        if (len == 0 || memchr(surt, ',', --len) == NULL) {
            return 0;
        }
    }
}


rfl_rc_t
rfl_ignored_next(rfl_registry_t *r, rfl_ignored_place_t *place)
{
    u_char         buf[RFL_IGNORED_KEY_MAX];
    rfl_rc_t       rc;
    rfl_str_t      key, found, value;
    rfl_cursor_t  *cursor;

    rc = rfl_cursor_open(rfl_registry_store(r), RFL_DBI_META, &cursor);
    if (rc != RFL_OK) {
        return rc;
    }

    key = rfl_ignored_key(buf, rfl_str(place->surt, place->len));

    rc = rfl_cursor_seek(cursor, key, &found, &value);

    if (rc == RFL_OK && place->len != 0 && rfl_str_eq(found, key)) {
        rc = rfl_cursor_next(cursor, &found, &value);
    }

    if (rc == RFL_OK) {
        rc = rfl_ignored_read(place, found, value);
    }

    rfl_cursor_close(cursor);

    return rc;
}


static rfl_rc_t
rfl_ignored_read(rfl_ignored_place_t *place, rfl_str_t key, rfl_str_t value)
{
    if (key.len <= RFL_IGNORED_KEY_LEN
        || memcmp(key.data, RFL_IGNORED_KEY, RFL_IGNORED_KEY_LEN) != 0)
    {
        return RFL_NOT_FOUND;
    }

    key.data += RFL_IGNORED_KEY_LEN;
    key.len -= RFL_IGNORED_KEY_LEN;

    if (key.len > RFL_IGNORED_HOST || value.len == 0) {
        return RFL_DAMAGED;
    }

    if (value.data[0] != RFL_IGNORED_VERSION) {
        return RFL_BAD_VERSION;
    }

    place->len = key.len;
    memcpy(place->surt, key.data, key.len);
    rfl_ignored_turn(key, place->host);

    value.data++;
    value.len--;

    return rfl_varint_get(&value, &place->since);
}


rfl_rc_t
rfl_ignored_add(rfl_registry_t *r, rfl_str_t host, uint64_t now,
    rfl_error_t *err)
{
    size_t   len;
    u_char   surt[RFL_IGNORED_HOST], buf[RFL_IGNORED_KEY_MAX];
    u_char   value[1 + RFL_VARINT_MAX], *p;

    if (rfl_ignored_surt(host, surt, &len) != RFL_OK) {
        return rfl_fail(err, RFL_INVALID, "this is no host");
    }

    p = value;
    *p++ = RFL_IGNORED_VERSION;
    p = rfl_varint_put(p, now);

    return rfl_store_put(rfl_registry_store(r), RFL_DBI_META,
                         rfl_ignored_key(buf, rfl_str(surt, len)),
                         rfl_str(value, (size_t) (p - value)), RFL_PUT_NEW,
                         err);
}


rfl_rc_t
rfl_ignored_remove(rfl_registry_t *r, rfl_str_t host, rfl_error_t *err)
{
    size_t     len;
    u_char     surt[RFL_IGNORED_HOST], buf[RFL_IGNORED_KEY_MAX];
    rfl_str_t  key, value;

    if (rfl_ignored_surt(host, surt, &len) != RFL_OK) {
        return rfl_fail(err, RFL_NOT_FOUND, "this is no host");
    }

    key = rfl_ignored_key(buf, rfl_str(surt, len));

    if (rfl_store_get(rfl_registry_store(r), RFL_DBI_META, key, &value)
        == RFL_NOT_FOUND)
    {
        return rfl_fail(err, RFL_NOT_FOUND, "%.*s is not ignored",
                        (int) host.len, (const char *) host.data);
    }

    return rfl_store_del(rfl_registry_store(r), RFL_DBI_META, key, err);
}


static rfl_str_t
rfl_ignored_key(u_char *buf, rfl_str_t surt)
{
    memcpy(buf, RFL_IGNORED_KEY, RFL_IGNORED_KEY_LEN);

    if (surt.len != 0) {
        memcpy(buf + RFL_IGNORED_KEY_LEN, surt.data, surt.len);
    }

    return rfl_str(buf, RFL_IGNORED_KEY_LEN + surt.len);
}
