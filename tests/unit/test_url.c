// SPDX-License-Identifier: MIT
#include "fs/url.h"

#include "tests/unit/check_util.h"

static const char *const good_urls[] = {
    "https://api.plivo.com/v1",
    "https://api.plivo.com/v1/",
    "https://api.plivo.com/v1///",
    "https://10.0.0.1:8443/v1",
    "http://localhost:8080/v1",
    "http://localhost",
    "http://localhost/",
    "http://127.0.0.1:1/v1",
    "http://127.0.0.1/v1",
    "http://[::1]:8080/v1",
    "http://[::1]",
    "https://API.plivo.com/v1",
    "https://api.plivo.com:443/v1",
    "https://[2001:db8::1]/v1",
    "https://[2001:db8::1]:8443/v1",
    "https://x.example/a=b",
    "https://api.plivo.com./v1",
    "http://localhost:65535/v1",
    "https://localhost/v1",
};

START_TEST(https_and_loopback_may_have_it)
{
    ck_assert_msg(url_may_have_token(good_urls[_i]), "%s is refused", good_urls[_i]);
}
END_TEST

/* What is not this machine, or might be read as another host, or shows a password. */
static const char *const bad_urls[] = {
    "",
    "api.plivo.com/v1",
    "ftp://api.plivo.com/v1",
    "file:///etc/passwd",
    "http://api.plivo.com/v1",
    "http://127.0.0.1.evil.com/v1",
    "http://localhost.evil.com/v1",
    "http://localhostx/v1",
    "http://localhost@evil.com/v1",
    "http://127.0.0.1:80@evil.com/",
    "http://127.0.0.1:80@evil.com",
    "http://[::1]@evil.com/v1",
    "http://[::1].evil.com/v1",
    "http://[::1]x/v1",
    "http://[::1",
    "http://[::1]:80@evil.com/",
    "http://user:pass@localhost/v1",
    "http://0.0.0.0/v1",
    "http://127.1.evil/v1",
    "http://2130706433.evil/v1",
    "http://localhost\\@evil.com/v1",
    "http://localhost#@evil.com/v1",
    "http://localhost?@evil.com/v1",
    "http://evil.com#localhost",
    "http://evil.com/127.0.0.1",
    "http:///localhost",
    "http://",
    "http:// localhost/",
    "http://localhost\t/",
    "HTTP://evil.com/v1",
    "https://api.plivo.com/v1?x=1",
    "https://api.plivo.com/v1#x",
    "https://api.plivo.com/v 1",
    "https://api.plivo.com/v1\n",
    "https://",
    "https:///v1",
    "HTTP://localhost/v1",
    "HTTPS://api.plivo.com/v1",
    "hTTp://127.0.0.1/",
    "http:localhost",
    "http:/localhost",
    " http://localhost",
    "https://user:pass@api.plivo.com/v1",
    "https://user@api.plivo.com/v1",
    "https://:pass@api.plivo.com/v1",
    "https://@api.plivo.com/v1",
    "https://api.plivo.com/v1@2",
    "http://LOCALHOST/v1",
    "http://localhost./v1",
    "http://127.0.0.1./v1",
    "http://127.1/v1",
    "http://127.1:80/v1",
    "http://2130706433/v1",
    "http://0x7f000001/v1",
    "http://0177.0.0.1/v1",
    "http://127.0.0.2/v1",
    "http://[::]/v1",
    "http://[0:0:0:0:0:0:0:1]/v1",
    "http://[::ffff:127.0.0.1]/v1",
    "http://[::1%25lo]/v1",
    "http://::1/v1",
    "http://[::1]80/v1",
    "http://localhost:/v1",
    "http://localhost:0/v1",
    "http://localhost:65536/v1",
    "http://localhost:99999999999999999999/v1",
    "http://localhost:80x/v1",
    "http://localhost:-1/v1",
    "http://localhost:+80/v1",
    "http://localhost:80:80/v1",
    "http://localhost:80.evil.com/v1",
    "https://api.plivo.com:/v1",
    "https://api.plivo.com:x/v1",
    "https://:443/v1",
    "https://[::1/v1",
    "https://[/]",
    "https://api.plivo.com/v1\r",
    "https://api.plivo.com/v1\x01",
    "https://api.plivo.com/v1\x7f",
    "https://b\xc3\xbc.example/v1",
    "https://api.plivo.com/\"v1",
    "https://api.plivo.com\\@evil.com/",
    "https://{a,b}.example/v1",
};

START_TEST(where_it_could_be_heard_is_refused)
{
    ck_assert_msg(!url_may_have_token(bad_urls[_i]), "%s is taken", bad_urls[_i]);
}
END_TEST

START_TEST(a_url_has_at_most_512_bytes)
{
    char url[600] = "https://x.example/";
    memset(url + strlen(url), 'a', 512 - strlen(url));
    ck_assert(url_may_have_token(url));
    url[512] = 'a';
    ck_assert(!url_may_have_token(url));
}
END_TEST

/* The end of the text is where the address sanitizer sees a step too far. */
START_TEST(no_beginning_of_a_url_is_read_beyond)
{
    static const char url[] = "https://[2001:db8::1]:8443/v1";
    for (size_t n = 0; n < sizeof(url); n++) {
        char cut[sizeof(url)] = "";
        memcpy(cut, url, n);
        char *exact = exact_copy(cut, n + 1);
        bool good = url_may_have_token(exact);
        free(exact);
        expect(good == (n >= 21 && n != 22), "%s", cut);
    }
}
END_TEST

int main(void)
{
    const struct unit_test tests[] = {
        EACH(https_and_loopback_may_have_it, good_urls),
        EACH(where_it_could_be_heard_is_refused, bad_urls),
        ONCE(a_url_has_at_most_512_bytes),
        ONCE(no_beginning_of_a_url_is_read_beyond),
    };
    return RUN_SUITE("url", tests);
}
