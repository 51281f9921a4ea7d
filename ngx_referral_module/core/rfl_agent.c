/*
 * Which User-Agents are robots'.
 *
 *     Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)
 *     ^^^^^^^      ^^^^^^^^^^  ^^^^^^^^^        ^^^^
 *
 * One pass: each word is looked up by its first and last letter and its
 * length, and by its last letter for the words that may be the end of another.
 * Most words of a browser find an empty slot there, so that what is compared
 * at all is a handful of bytes.
 *
 * The rules name what robots say of themselves.  Words of browsers, phones and
 * apps are not among them, and whole words are wanted: better a robot
 * counted as a visitor than a visitor lost.
 */

#include "rfl_agent.h"
#include "rfl_keyed.h"

#include <pthread.h>
#include <stdlib.h>


#define RFL_AGENT_LETTERS  26
#define RFL_AGENT_SLOTS    1024
#define RFL_AGENT_BITS     8
#define RFL_AGENT_SETS     (1 << RFL_AGENT_BITS)
#define RFL_AGENT_WAYS     4


/*
 * Numbers are the rules' own, plus 1; 0 ends a list.  Filled once, from the
 * table.
 */

typedef struct {
    u_char  word[RFL_AGENT_SLOTS];
    u_char  end[RFL_AGENT_LETTERS + 1];  /* by the last letter */
    u_char  next[256];
    u_char  start[256];          /* where the token's first word begins */
    u_char  len[256];
} rfl_agent_index_t;


/* Verdicts lie apart: the keys of a set are looked at with each request. */

typedef struct {
    uint64_t  keys[RFL_AGENT_WAYS][2];   /* both 0: empty */
} rfl_agent_set_t;

typedef struct {
    u_char  is_bot[RFL_AGENT_WAYS];
    u_char  oldest;
} rfl_agent_verdicts_t;


struct rfl_agent_cache_s {
    rfl_agent_set_t       sets[RFL_AGENT_SETS];
    rfl_agent_verdicts_t  verdicts[RFL_AGENT_SETS];
    rfl_keyed_t           keys;
};

_Static_assert(sizeof(uint64_t) + RFL_AGENT_MAX <= RFL_KEYED_MAX,
               "there are keys for an agent");


static int rfl_agent_learn(rfl_agent_cache_t *cache, rfl_agent_set_t *set,
    uint64_t low, uint64_t high, rfl_str_t user_agent);
static inline rfl_str_t rfl_agent_cut(rfl_str_t user_agent);
static const u_char *rfl_agent_device(rfl_str_t agent,
    const u_char **behind);
static const rfl_agent_rule_t *rfl_agent_word(rfl_str_t agent, size_t start,
    size_t end);
static unsigned rfl_agent_slot(rfl_str_t word);
static int rfl_agent_holds(unsigned n, rfl_str_t agent, size_t at);
static int rfl_agent_ends(unsigned n, rfl_str_t word);
static int rfl_agent_same(const u_char *p, const char *token, size_t len);
static void rfl_agent_index_build(void);


static pthread_once_t     rfl_agent_once = PTHREAD_ONCE_INIT;
static rfl_agent_index_t  rfl_agent_index;


/* 1 to 26: a letter, of either case. */

static const u_char  rfl_agent_letter[256] = {
    ['A'] = 1, ['B'] = 2, ['C'] = 3, ['D'] = 4, ['E'] = 5, ['F'] = 6,
    ['G'] = 7, ['H'] = 8, ['I'] = 9, ['J'] = 10, ['K'] = 11, ['L'] = 12,
    ['M'] = 13, ['N'] = 14, ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18,
    ['S'] = 19, ['T'] = 20, ['U'] = 21, ['V'] = 22, ['W'] = 23, ['X'] = 24,
    ['Y'] = 25, ['Z'] = 26,
    ['a'] = 1, ['b'] = 2, ['c'] = 3, ['d'] = 4, ['e'] = 5, ['f'] = 6,
    ['g'] = 7, ['h'] = 8, ['i'] = 9, ['j'] = 10, ['k'] = 11, ['l'] = 12,
    ['m'] = 13, ['n'] = 14, ['o'] = 15, ['p'] = 16, ['q'] = 17, ['r'] = 18,
    ['s'] = 19, ['t'] = 20, ['u'] = 21, ['v'] = 22, ['w'] = 23, ['x'] = 24,
    ['y'] = 25, ['z'] = 26
};


/* RFC 9110, 10.1.5: a user agent should send one. */

static const rfl_agent_rule_t  rfl_agent_tiny = {
    "", 0, 0, "tiny", "https://www.rfc-editor.org/rfc/rfc9110#section-10.1.5"
};


const rfl_agent_rule_t  rfl_agent_rules[] = {

    /* What robots call themselves, and how they name their page. */

    { "bot", 0, 1, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "bots", 0, 1, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "crawler", 0, 1, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "crawl", 0, 0, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "spider", 0, 1, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "scraper", 0, 1, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "fetcher", 0, 1, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "checker", 0, 1, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "validator", 0, 1, "generic",
      "https://validator.w3.org/services" },
    { "monitor", 0, 1, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "monitoring", 0, 1, "generic",
      "https://www.rfc-editor.org/rfc/rfc9309#section-2.2.1" },
    { "+http", 0, 0, "generic",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/overview-google-crawlers" },
    { "+https", 0, 0, "generic",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/overview-google-crawlers" },

    /* Search, archives, link lists, language models, previews, feed readers. */

    { "googleother", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/overview-google-crawlers" },
    { "google-inspectiontool", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/overview-google-crawlers" },
    { "google-cloudvertexbot", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/overview-google-crawlers" },
    { "apis-google", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/google-special-case-crawlers" },
    { "mediapartners-google", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/google-special-case-crawlers" },
    { "google-safety", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/google-special-case-crawlers" },
    { "feedfetcher-google", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/google-user-triggered-fetchers" },
    { "google-read-aloud", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/google-user-triggered-fetchers" },
    { "google-site-verification", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/google-user-triggered-fetchers" },
    { "google-notebooklm", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/google-user-triggered-fetchers" },
    { "googleproducer", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/google-user-triggered-fetchers" },
    { "google-agent", 0, 0, "crawler",
      "https://developers.google.com/crawling/docs/"
      "crawlers-fetchers/google-user-triggered-fetchers" },
    { "google web preview", 0, 0, "crawler",
      "https://developers.google.com/search/docs/crawling-indexing" },
    { "bingpreview", 0, 0, "crawler",
      "https://www.bing.com/webmasters/help/"
      "which-crawlers-does-bing-use-8c184ec0" },
    { "microsoftpreview", 0, 0, "crawler",
      "https://www.bing.com/webmasters/help/"
      "which-crawlers-does-bing-use-8c184ec0" },
    { "slurp", 0, 0, "crawler",
      "https://help.yahoo.com/kb/SLN22600.html" },
    { "yahoo link preview", 0, 0, "crawler",
      "https://help.yahoo.com/kb/mail/yahoo-link-preview-SLN23615.html" },
    { "yeti/", 0, 0, "crawler",
      "https://naver.me/bot" },
    { "daumoa", 0, 0, "crawler",
      "https://cs.daum.net/faq/15/4118.html" },
    { "yadirectfetcher", 0, 0, "crawler",
      "https://yandex.com/support/webmaster/robot-workings/"
      "check-yandex-robots.html" },
    { "qwantify", 0, 0, "crawler",
      "https://help.qwant.com/bot/" },
    { "ahrefssiteaudit", 0, 0, "crawler",
      "https://ahrefs.com/robot" },
    { "barkrowler", 0, 0, "crawler",
      "https://babbar.tech/crawler" },
    { "megaindex", 0, 0, "crawler",
      "https://megaindex.com/crawler" },
    { "sistrix", 0, 0, "crawler",
      "https://crawler.sistrix.net/" },
    { "seokicks", 0, 0, "crawler",
      "https://www.seokicks.de/robot.html" },
    { "botify", 0, 0, "crawler",
      "https://support.botify.com/" },
    { "screaming frog", 0, 0, "crawler",
      "https://www.screamingfrog.co.uk/seo-spider/user-guide/"
      "configuration/#user-agent" },
    { "chatgpt-user", 0, 0, "crawler",
      "https://platform.openai.com/docs/bots" },
    { "claude-user", 0, 0, "crawler",
      "https://support.claude.com/en/articles/8896518" },
    { "claude-web", 0, 0, "crawler",
      "https://support.claude.com/en/articles/8896518" },
    { "anthropic-ai", 0, 0, "crawler",
      "https://support.claude.com/en/articles/8896518" },
    { "perplexity-user", 0, 0, "crawler",
      "https://docs.perplexity.ai/guides/bots" },
    { "mistralai-user", 0, 0, "crawler",
      "https://docs.mistral.ai/robots" },
    { "cohere-ai", 0, 0, "crawler",
      "https://docs.cohere.com/" },
    { "ia_archiver", 0, 0, "crawler",
      "https://archive.org/details/archive.org_bot" },
    { "heritrix", 0, 0, "crawler",
      "https://github.com/internetarchive/heritrix3/wiki" },
    { "nutch", 0, 0, "crawler",
      "https://nutch.apache.org/" },
    { "httrack", 0, 0, "crawler",
      "https://www.httrack.com/html/fcguide.html" },
    { "scrapy", 0, 0, "crawler",
      "https://docs.scrapy.org/en/latest/topics/settings.html#user-agent" },
    { "gocolly", 0, 0, "crawler",
      "https://github.com/gocolly/colly" },
    { "bubing", 0, 0, "crawler",
      "http://law.di.unimi.it/BUbiNG.html" },
    { "facebookexternalhit", 0, 0, "crawler",
      "https://developers.facebook.com/docs/sharing/webmasters/web-crawlers" },
    { "facebookcatalog", 0, 0, "crawler",
      "https://developers.facebook.com/docs/sharing/webmasters/web-crawlers" },
    { "meta-externalagent", 0, 0, "crawler",
      "https://developers.facebook.com/docs/sharing/webmasters/web-crawlers" },
    { "meta-externalfetcher", 0, 0, "crawler",
      "https://developers.facebook.com/docs/sharing/webmasters/web-crawlers" },
    { "meta-externalads", 0, 0, "crawler",
      "https://developers.facebook.com/docs/sharing/webmasters/web-crawlers" },
    { "whatsapp/", 1, 0, "crawler",
      "https://developers.facebook.com/documentation/"
      "business-messaging/whatsapp/link-previews/" },
    { "pinterest/", 1, 0, "crawler",
      "https://help.pinterest.com/en/business/article/pinterest-crawler" },
    { "slack-imgproxy", 0, 0, "crawler",
      "https://api.slack.com/robots" },
    { "skypeuripreview", 0, 0, "crawler",
      "https://learn.microsoft.com/en-us/skypeforbusiness/" },
    { "snapurlpreview", 0, 0, "crawler",
      "https://business.snapchat.com/legal/snapchat-automated-crawler" },
    { "cardyb", 0, 0, "crawler",
      "https://github.com/bluesky-social/cardyb" },
    { "embedly", 0, 0, "crawler",
      "https://support.embed.ly/" },
    { "iframely", 0, 0, "crawler",
      "https://iframely.com/docs/about" },
    { "flipboardproxy", 0, 0, "crawler",
      "https://about.flipboard.com/browserproxy/" },
    { "outbrain", 0, 0, "crawler",
      "https://www.outbrain.com/help/advertisers/" },
    { "netcraftsurveyagent", 0, 0, "crawler",
      "https://www.netcraft.com/about-netcraft/" },
    { "microsoft office", 1, 0, "crawler",
      "https://learn.microsoft.com/en-us/openspecs/"
      "windows_protocols/ms-adfspip/93fc09c0-da96-4e45-ab0d-d49a9481b5b1" },
    { "feedly", 0, 0, "crawler",
      "https://www.feedly.com/fetcher.html" },
    { "feedburner", 0, 0, "crawler",
      "https://support.google.com/feedburner/" },
    { "feedparser", 0, 0, "crawler",
      "https://feedparser.readthedocs.io/en/latest/http-useragent.html" },
    { "newsblur", 0, 0, "crawler",
      "https://www.newsblur.com/" },
    { "inoreader", 0, 0, "crawler",
      "https://www.inoreader.com/" },
    { "feedbin", 0, 0, "crawler",
      "https://feedbin.com/" },
    { "tiny tiny rss", 0, 0, "crawler",
      "https://tt-rss.org/" },
    { "freshrss", 0, 0, "crawler",
      "https://freshrss.org/" },
    { "miniflux", 0, 0, "crawler",
      "https://miniflux.app/" },
    { "netnewswire", 0, 0, "crawler",
      "https://netnewswire.com/" },
    { "newsboat", 0, 0, "crawler",
      "https://newsboat.org/" },
    { "theoldreader", 0, 0, "crawler",
      "https://theoldreader.com/" },
    { "commafeed", 0, 0, "crawler",
      "https://github.com/Athou/commafeed" },
    { "wordpress/", 1, 0, "crawler",
      "https://developer.wordpress.org/reference/hooks/"
      "http_headers_useragent/" },
    { "xenu link sleuth", 0, 0, "crawler",
      "https://home.snafu.de/tilman/xenulink.html" },

    /* Monitors of availability and speed. */

    { "pingdompagespeed", 0, 0, "monitor",
      "https://www.pingdom.com/" },
    { "pingdomtms", 0, 0, "monitor",
      "https://www.pingdom.com/" },
    { "statuscake", 0, 0, "monitor",
      "https://www.statuscake.com/kb/knowledge-base/what-are-your-ips/" },
    { "site24x7", 0, 0, "monitor",
      "https://www.site24x7.com/help/" },
    { "uptime", 0, 0, "monitor",
      "https://support.uptime.com/hc/en-us/articles/26061039101084" },
    { "gomezagent", 0, 0, "monitor",
      "https://www.dynatrace.com/" },
    { "catchpoint", 0, 0, "monitor",
      "https://www.catchpoint.com/" },
    { "newrelicpinger", 0, 0, "monitor",
      "https://docs.newrelic.com/docs/synthetics/" },
    { "newrelicsynthetics", 0, 0, "monitor",
      "https://docs.newrelic.com/docs/synthetics/" },
    { "datadogsynthetics", 0, 0, "monitor",
      "https://docs.datadoghq.com/synthetics/" },
    { "datadog", 0, 0, "monitor",
      "https://docs.datadoghq.com/synthetics/" },
    { "solarwinds/", 0, 0, "monitor",
      "https://documentation.solarwinds.com/en/success_center/"
      "observability/content/intro/websites/custom-user-agent-headers-"
      "guidelines.htm" },
    { "checkly", 0, 0, "monitor",
      "https://www.checklyhq.com/docs/" },
    { "appinsights", 0, 0, "monitor",
      "https://learn.microsoft.com/en-us/azure/azure-monitor/app/"
      "availability" },
    { "googlestackdrivermonitoring", 0, 0, "monitor",
      "https://cloud.google.com/monitoring/uptime-checks" },
    { "amazon-route53-health-check-service", 0, 0, "monitor",
      "https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/"
      "dns-failover.html" },
    { "cloudflare-healthchecks", 0, 0, "monitor",
      "https://developers.cloudflare.com/health-checks/" },
    { "check_http", 0, 0, "monitor",
      "https://www.monitoring-plugins.org/doc/man/check_http.html" },
    { "zabbix", 0, 0, "monitor",
      "https://www.zabbix.com/documentation/current/en/manual/web_monitoring" },
    { "blackbox exporter", 0, 0, "monitor",
      "https://github.com/prometheus/blackbox_exporter" },
    { "kube-probe", 0, 0, "monitor",
      "https://kubernetes.io/docs/tasks/configure-pod-container/"
      "configure-liveness-readiness-startup-probes/" },
    { "prtg network monitor", 0, 0, "monitor",
      "https://www.paessler.com/manuals/prtg/http_transaction_sensor" },
    { "updown.io", 0, 0, "monitor",
      "https://updown.io/" },
    { "hetrixtools", 0, 0, "monitor",
      "https://hetrixtools.com/uptime-monitoring-bot.html" },
    { "uptimia", 0, 0, "monitor",
      "https://www.uptimia.com/" },
    { "uptrends", 0, 0, "monitor",
      "https://www.uptrends.com/" },
    { "montastic", 0, 0, "monitor",
      "https://montastic.com/" },
    { "gtmetrix", 0, 0, "monitor",
      "https://gtmetrix.com/" },
    { "ptst", 0, 0, "monitor",
      "https://docs.webpagetest.org/" },
    { "rigor", 0, 0, "monitor",
      "https://docs.splunk.com/observability/en/synthetics/" },

    /* HTTP libraries and command line clients. */

    { "curl", 0, 0, "library",
      "https://curl.se/docs/manpage.html#-A" },
    { "libcurl", 0, 0, "library",
      "https://curl.se/libcurl/c/CURLOPT_USERAGENT.html" },
    { "wget", 0, 0, "library",
      "https://www.gnu.org/software/wget/manual/wget.html" },
    { "aria2/", 1, 0, "library",
      "https://aria2.github.io/manual/en/html/aria2c.html" },
    { "httpie", 0, 0, "library",
      "https://httpie.io/docs/cli" },
    { "python-requests", 0, 0, "library",
      "https://requests.readthedocs.io/" },
    { "python-urllib", 0, 0, "library",
      "https://docs.python.org/3/library/urllib.request.html" },
    { "python-httpx", 0, 0, "library",
      "https://www.python-httpx.org/" },
    { "python-httplib", 0, 0, "library",
      "https://github.com/httplib2/httplib2" },
    { "python/", 1, 0, "library",
      "https://docs.aiohttp.org/en/stable/" },
    { "aiohttp", 0, 0, "library",
      "https://docs.aiohttp.org/en/stable/" },
    { "go-http-client", 0, 0, "library",
      "https://pkg.go.dev/net/http" },
    { "go 1.1 package http", 0, 0, "library",
      "https://pkg.go.dev/net/http" },
    { "go-resty", 0, 0, "library",
      "https://github.com/go-resty/resty" },
    { "fasthttp", 0, 0, "library",
      "https://github.com/valyala/fasthttp" },
    { "java/", 1, 0, "library",
      "https://docs.oracle.com/javase/8/docs/api/java/net/"
      "doc-files/net-properties.html" },
    { "java-http-client", 0, 0, "library",
      "https://docs.oracle.com/en/java/javase/21/docs/api/"
      "java.net.http/java/net/http/HttpClient.html" },
    { "okhttp", 0, 0, "library",
      "https://square.github.io/okhttp/" },
    { "httpclient", 0, 0, "library",
      "https://hc.apache.org/httpcomponents-client-5.3.x/" },
    { "apache-httpasyncclient", 0, 0, "library",
      "https://hc.apache.org/httpcomponents-client-5.3.x/" },
    { "google-http-java-client", 0, 0, "library",
      "https://github.com/googleapis/google-http-java-client" },
    { "reactornetty", 0, 0, "library",
      "https://projectreactor.io/docs/netty/release/reference/" },
    { "jetty/", 1, 0, "library",
      "https://jetty.org/" },
    { "jsoup", 0, 0, "library",
      "https://jsoup.org/" },
    { "unirest", 0, 0, "library",
      "https://kong.github.io/unirest-java/" },
    { "dalvik/", 1, 0, "library",
      "https://developer.android.com/reference/java/net/HttpURLConnection" },
    { "cfnetwork", 0, 0, "library",
      "https://developer.apple.com/documentation/cfnetwork" },
    { "alamofire", 0, 0, "library",
      "https://github.com/Alamofire/Alamofire" },
    { "dart/", 1, 0, "library",
      "https://api.dart.dev/stable/dart-io/HttpClient/userAgent.html" },
    { "axios", 0, 0, "library",
      "https://github.com/axios/axios" },
    { "node-fetch", 0, 0, "library",
      "https://github.com/node-fetch/node-fetch" },
    { "undici", 0, 0, "library",
      "https://github.com/nodejs/undici/issues/2306" },
    { "node-superagent", 0, 0, "library",
      "https://github.com/ladjs/superagent" },
    { "got (", 1, 0, "library",
      "https://github.com/sindresorhus/got" },
    { "libwww-perl", 0, 0, "library",
      "https://metacpan.org/pod/LWP::UserAgent" },
    { "lwp::simple", 0, 0, "library",
      "https://metacpan.org/pod/LWP::Simple" },
    { "lwp-trivial", 0, 0, "library",
      "https://metacpan.org/pod/LWP::Simple" },
    { "http-tiny", 0, 0, "library",
      "https://metacpan.org/pod/HTTP::Tiny" },
    { "www-mechanize", 0, 0, "library",
      "https://metacpan.org/pod/WWW::Mechanize" },
    { "php/", 1, 0, "library",
      "https://www.php.net/manual/en/"
      "filesystem.configuration.php#ini.user-agent" },
    { "php-curl-class", 0, 0, "library",
      "https://github.com/php-curl-class/php-curl-class" },
    { "guzzlehttp", 0, 0, "library",
      "https://docs.guzzlephp.org/en/stable/request-options.html" },
    { "guzzle", 0, 0, "library",
      "https://docs.guzzlephp.org/en/stable/request-options.html" },
    { "pecl::http", 0, 0, "library",
      "https://pecl.php.net/package/pecl_http" },
    { "ruby", 1, 0, "library",
      "https://docs.ruby-lang.org/en/master/Net/HTTP.html" },
    { "faraday", 0, 0, "library",
      "https://lostisland.github.io/faraday/" },
    { "typhoeus", 0, 0, "library",
      "https://github.com/typhoeus/typhoeus" },
    { "http.rb", 0, 0, "library",
      "https://github.com/httprb/http" },
    { "rest-client", 0, 0, "library",
      "https://github.com/rest-client/rest-client" },
    { "mechanize", 0, 0, "library",
      "https://github.com/sparklemotion/mechanize" },
    { "reqwest", 0, 0, "library",
      "https://docs.rs/reqwest/" },
    { "hackney/", 1, 0, "library",
      "https://github.com/benoitc/hackney" },
    { "restsharp", 0, 0, "library",
      "https://restsharp.dev/" },
    { "postmanruntime", 0, 0, "library",
      "https://learning.postman.com/docs/sending-requests/" },
    { "insomnia/", 1, 0, "library",
      "https://docs.insomnia.rest/" },
    { "windowspowershell", 0, 0, "library",
      "https://learn.microsoft.com/en-us/powershell/module/"
      "microsoft.powershell.utility/invoke-webrequest" },
    { "powershell", 0, 0, "library",
      "https://learn.microsoft.com/en-us/powershell/module/"
      "microsoft.powershell.utility/invoke-webrequest" },
    { "winhttprequest", 0, 0, "library",
      "https://learn.microsoft.com/en-us/windows/win32/winhttp/"
      "winhttprequest" },
    { "microsoft-webdav-miniredir", 0, 0, "library",
      "https://learn.microsoft.com/en-us/openspecs/"
      "windows_protocols/ms-adfspip/93fc09c0-da96-4e45-ab0d-d49a9481b5b1" },
    { "indy library", 0, 0, "library",
      "https://www.indyproject.org/" },
    { "lua-resty-http", 0, 0, "library",
      "https://github.com/ledgetech/lua-resty-http" },

    /* Browsers run by programs. */

    { "headlesschrome", 0, 0, "headless",
      "https://developer.chrome.com/docs/chromium/headless" },
    { "headlessedg", 0, 0, "headless",
      "https://learn.microsoft.com/en-us/microsoft-edge/" },
    { "phantomjs", 0, 0, "headless",
      "https://phantomjs.org/api/webpage/property/settings.html" },
    { "slimerjs", 0, 0, "headless",
      "https://docs.slimerjs.org/current/" },
    { "puppeteer", 0, 0, "headless",
      "https://pptr.dev/" },
    { "playwright", 0, 0, "headless",
      "https://playwright.dev/docs/emulation#user-agent" },
    { "selenium", 0, 0, "headless",
      "https://www.selenium.dev/documentation/" },
    { "cypress", 0, 0, "headless",
      "https://docs.cypress.io/" },
    { "lighthouse", 0, 0, "headless",
      "https://github.com/GoogleChrome/lighthouse/blob/main/docs/"
      "emulation.md" },
    { "jsdom", 0, 0, "headless",
      "https://github.com/jsdom/jsdom#advanced-configuration" },
    { "htmlunit", 0, 0, "headless",
      "https://htmlunit.sourceforge.io/" },
    { "splash version", 0, 0, "headless",
      "https://splash.readthedocs.io/en/stable/" },
    { "prerender", 0, 0, "headless",
      "https://docs.prerender.io/" },
    { "rendertron", 0, 0, "headless",
      "https://github.com/GoogleChrome/rendertron" },

    /* Scanners of networks and weaknesses. */

    { "zgrab", 0, 0, "scanner",
      "https://github.com/zmap/zgrab2" },
    { "masscan", 0, 0, "scanner",
      "https://github.com/robertdavidgraham/masscan" },
    { "nmap scripting engine", 0, 0, "scanner",
      "https://nmap.org/nsedoc/lib/http.html" },
    { "nikto", 0, 0, "scanner",
      "https://github.com/sullo/nikto/wiki" },
    { "sqlmap", 0, 0, "scanner",
      "https://github.com/sqlmapproject/sqlmap/wiki/Usage" },
    { "nuclei", 0, 0, "scanner",
      "https://docs.projectdiscovery.io/tools/nuclei/" },
    { "wpscan", 0, 0, "scanner",
      "https://github.com/wpscanteam/wpscan/wiki" },
    { "fuzz faster u fool", 0, 0, "scanner",
      "https://github.com/ffuf/ffuf" },
    { "gobuster", 0, 0, "scanner",
      "https://github.com/OJ/gobuster" },
    { "expanse", 0, 0, "scanner",
      "https://docs-cortex.paloaltonetworks.com/" },
    { "whatweb", 0, 0, "scanner",
      "https://github.com/urbanadventurer/WhatWeb" }
};


const size_t  rfl_agent_nrules = sizeof(rfl_agent_rules)
                                 / sizeof(rfl_agent_rules[0]);


/* The index has room for 255. */

_Static_assert(sizeof(rfl_agent_rules) / sizeof(rfl_agent_rules[0]) < 256,
               "more rules than the index has numbers for");


const rfl_agent_rule_t *
rfl_agent_match(rfl_str_t user_agent)
{
    rfl_str_t                agent;
    const u_char            *p, *start, *end, *device, *behind;
    const rfl_agent_rule_t  *rule;

    agent = rfl_str_trim(rfl_agent_cut(user_agent));

    if (agent.len < RFL_AGENT_MIN) {
        return &rfl_agent_tiny;
    }

    (void) pthread_once(&rfl_agent_once, rfl_agent_index_build);

    p = agent.data;
    end = p + agent.len;
    device = rfl_agent_device(agent, &behind);

    while (p < end) {

        if (p == device) {
            p = behind;
            continue;
        }

        if (rfl_agent_letter[*p] == 0) {
            p++;
            continue;
        }

        start = p++;

        while (p < end && rfl_agent_letter[*p] != 0) {
            p++;
        }

        rule = rfl_agent_word(agent, (size_t) (start - agent.data),
                              (size_t) (p - agent.data));

        if (rule != NULL) {
            return rule;
        }
    }

    return NULL;
}


rfl_agent_cache_t *
rfl_agent_cache_create(void)
{
    rfl_agent_cache_t  *cache;

    cache = calloc(1, sizeof(rfl_agent_cache_t));
    if (cache == NULL) {
        return NULL;
    }

    if (rfl_keyed_init(&cache->keys) != RFL_OK) {
        free(cache);
        return NULL;
    }

    return cache;
}


void
rfl_agent_cache_free(rfl_agent_cache_t *cache)
{
    free(cache);
}


int
rfl_agent_is_bot(rfl_agent_cache_t *cache, rfl_str_t user_agent)
{
    unsigned          way;
    uint64_t          low, high;
    const uint64_t   *key;
    rfl_agent_set_t  *set;
    rfl_keyed_sum_t   sum;

    if (cache == NULL) {
        return rfl_agent_match(user_agent) != NULL;
    }

    user_agent = rfl_agent_cut(user_agent);

    key = cache->keys.words;
    sum = rfl_keyed_pair(0, &key, user_agent.len, 0);
    sum = rfl_keyed_text(sum, &key, user_agent);

    low = (uint64_t) sum;
    high = (uint64_t) (sum >> 64);
    set = &cache->sets[rfl_keyed_spread(sum) >> (64 - RFL_AGENT_BITS)];

    for (way = 0; way < RFL_AGENT_WAYS; way++) {
        if (set->keys[way][0] == low && set->keys[way][1] == high) {
            return cache->verdicts[set - cache->sets].is_bot[way];
        }
    }

    return rfl_agent_learn(cache, set, low, high, user_agent);
}


/* In the place of the one that came first. */

static __attribute__((noinline)) int
rfl_agent_learn(rfl_agent_cache_t *cache, rfl_agent_set_t *set, uint64_t low,
    uint64_t high, rfl_str_t user_agent)
{
    unsigned               way;
    rfl_agent_verdicts_t  *verdicts;

    verdicts = &cache->verdicts[set - cache->sets];

    way = verdicts->oldest;
    verdicts->oldest = (way + 1) % RFL_AGENT_WAYS;

    verdicts->is_bot[way] = (rfl_agent_match(user_agent) != NULL);
    set->keys[way][0] = low;
    set->keys[way][1] = high;

    return verdicts->is_bot[way];
}


static inline rfl_str_t
rfl_agent_cut(rfl_str_t user_agent)
{
    if (user_agent.len > RFL_AGENT_MAX) {
        user_agent.len = RFL_AGENT_MAX;
    }

    return user_agent;
}


/*
 * The comment that names a device: phones are called "Cubot", "M bot 54" or
 * "Spider 8".  A robot that calls itself a phone says its own name behind it.
 * NULL: there is none.  *behind is where to go on.
 */

static const u_char *
rfl_agent_device(rfl_str_t agent, const u_char **behind)
{
    size_t         i, left;
    const u_char  *open, *close;

    static const rfl_str_t  systems[] = {
        rfl_string("(linux; android"),
        rfl_string("(linux; u; android")
    };

    *behind = NULL;

    open = memchr(agent.data, '(', agent.len);
    if (open == NULL) {
        return NULL;
    }

    left = agent.len - (size_t) (open - agent.data);

    close = memchr(open, ')', left);
    if (close == NULL) {
        return NULL;
    }

    for (i = 0; i < sizeof(systems) / sizeof(systems[0]); i++) {
        if (left >= systems[i].len
            && rfl_agent_same(open, (const char *) systems[i].data,
                              systems[i].len))
        {
            *behind = close + 1;
            return open;
        }
    }

    return NULL;
}


/* The rule whose first word is agent[start .. end), or that it ends with. */

static const rfl_agent_rule_t *
rfl_agent_word(rfl_str_t agent, size_t start, size_t end)
{
    unsigned   n;
    rfl_str_t  word;

    word = rfl_str(agent.data + start, end - start);
    n = rfl_agent_index.word[rfl_agent_slot(word)];

    for ( /* void */ ; n != 0; n = rfl_agent_index.next[n]) {
        if (rfl_agent_holds(n, agent, start)) {
            return &rfl_agent_rules[n - 1];
        }
    }

    n = rfl_agent_index.end[rfl_agent_letter[agent.data[end - 1]]];

    for ( /* void */ ; n != 0; n = rfl_agent_index.next[n]) {
        if (rfl_agent_ends(n, word)) {
            return &rfl_agent_rules[n - 1];
        }
    }

    return NULL;
}


static unsigned
rfl_agent_slot(rfl_str_t word)
{
    unsigned  first, last;

    first = rfl_agent_letter[word.data[0]];
    last = rfl_agent_letter[word.data[word.len - 1]];

    return (first + 27 * last + 101 * (unsigned) word.len)
           & (RFL_AGENT_SLOTS - 1);
}


/* Whether the token whose first word is at "at" stands there as a whole. */

static int
rfl_agent_holds(unsigned n, rfl_str_t agent, size_t at)
{
    size_t                   len;
    const rfl_agent_rule_t  *rule;

    rule = &rfl_agent_rules[n - 1];

    if (at < rfl_agent_index.start[n]) {
        return 0;
    }

    at -= rfl_agent_index.start[n];
    len = rfl_agent_index.len[n];

    if (agent.len - at < len
        || !rfl_agent_same(agent.data + at, rule->token, len))
    {
        return 0;
    }

    if (rule->is_prefix) {
        return at == 0;
    }

    return at + len == agent.len
           || rfl_agent_letter[(u_char) rule->token[len - 1]] == 0
           || rfl_agent_letter[agent.data[at + len]] == 0;
}


static int
rfl_agent_ends(unsigned n, rfl_str_t word)
{
    size_t  len;

    len = rfl_agent_index.len[n];

    return word.len >= len
           && rfl_agent_same(word.data + word.len - len,
                             rfl_agent_rules[n - 1].token, len);
}


static int
rfl_agent_same(const u_char *p, const char *token, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        if (rfl_lower(p[i]) != (u_char) token[i]) {
            return 0;
        }
    }

    return 1;
}


static void
rfl_agent_index_build(void)
{
    size_t              i, start, end, len;
    u_char             *list;
    const u_char       *token;
    rfl_agent_index_t  *index;

    index = &rfl_agent_index;

    /* backwards: the first of the table is the first of its list */

    for (i = rfl_agent_nrules; i > 0; i--) {
        token = (const u_char *) rfl_agent_rules[i - 1].token;
        len = strlen((const char *) token);

        for (start = 0; rfl_agent_letter[token[start]] == 0; start++) {
            /* void */
        }

        for (end = start; rfl_agent_letter[token[end]] != 0; end++) {
            /* void */
        }

        if (rfl_agent_rules[i - 1].in_word) {
            list = &index->end[rfl_agent_letter[token[end - 1]]];

        } else {
            list = &index->word[rfl_agent_slot(rfl_str(token + start,
                                                       end - start))];
        }

        index->next[i] = *list;
        index->start[i] = (u_char) start;
        index->len[i] = (u_char) len;
        *list = (u_char) i;
    }
}
