/*
 * Agents as they were seen, browsers and robots, with the wanted verdict: a
 * browser taken for a robot is a visitor lost, so they are the longer half.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "rfl_agent.h"
#include "guard.h"


#define MANY  4096


typedef struct {
    const char  *agent;
    const char  *token;          /* of the rule that holds */
} robot_t;


#define WIN      "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
#define MAC      "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) "
#define LINUX    "Mozilla/5.0 (X11; Linux x86_64) "
#define IPHONE   "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) "
#define WEBKIT   "AppleWebKit/537.36 (KHTML, like Gecko) "
#define WEBKIT2  "AppleWebKit/605.1.15 (KHTML, like Gecko) "
#define CHROME   "Chrome/131.0.0.0 Safari/537.36"
#define MOBILE   "Chrome/131.0.0.0 Mobile Safari/537.36"


static const char *const  browsers[] = {

    /* desktops */

    WIN WEBKIT CHROME,
    MAC WEBKIT CHROME,
    LINUX WEBKIT CHROME,
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) " WEBKIT CHROME,
    WIN WEBKIT CHROME " Edg/131.0.0.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) " WEBKIT
        "Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763",
    WIN WEBKIT CHROME " OPR/116.0.0.0",
    WIN WEBKIT CHROME " Vivaldi/7.0.3495.11",
    WIN WEBKIT "Chrome/128.0.0.0 YaBrowser/24.10.0.0 Safari/537.36",
    WIN WEBKIT CHROME " Whale/4.29.282.14",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 "
        "Firefox/132.0",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:132.0) Gecko/20100101 "
        "Firefox/132.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:132.0) Gecko/20100101 "
        "Firefox/132.0",
    "Mozilla/5.0 (Windows NT 10.0; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:52.0) Gecko/20100101 Firefox/52.0 "
        "SeaMonkey/2.49.4",
    "Mozilla/5.0 (Windows NT 6.1; rv:52.9) Gecko/20100101 Goanna/4.1 "
        "PaleMoon/28.2.1",
    MAC WEBKIT2 "Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like "
        "Gecko) Version/16.0 Safari/605.1.15 Epiphany/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) "
        "konqueror/5.0 Safari/538.1",
    LINUX WEBKIT "QtWebEngine/5.15.2 Chrome/87.0.4280.144 Safari/537.36",
    LINUX WEBKIT "Slack/4.41.97 Chrome/130.0.0.0 Electron/33.0.1 "
        "Safari/537.36",
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
    "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)",
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; SLCC2; "
        ".NET CLR 2.0.50727; Media Center PC 6.0)",
    "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT 5.1; SV1; EmbeddedWB "
        "14.52 from: http://www.bsalsa.com/ EmbeddedWB 14.52)",
    "Opera/9.80 (Windows NT 6.1; WOW64) Presto/2.12.388 Version/12.18",
    "Mozilla/5.0 (compatible; Konqueror/4.5; Linux) KHTML/4.5.5 (like Gecko)",
    "Lynx/2.8.9rel.1 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/1.1.1d",
    "Links (2.21; Linux 5.10.0 x86_64; GNU C 10.2.1; text)",
    "ELinks/0.13.2 (textmode; Linux 5.10.0 x86_64; 80x24-2)",
    "w3m/0.5.3+git20210102",
    "Dillo/3.0.5 (Linux; like nothing)",

    /* phones and tablets */

    "Mozilla/5.0 (Linux; Android 10; K) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S908B) " WEBKIT
        "SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0",
    "Mozilla/5.0 (Linux; U; Android 4.0.3; de-ch; HTC Sensation "
        "Build/IML74K) AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 "
        "Mobile Safari/534.30",
    "Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 9; CUBOT_X18_Plus) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 11; CUBOT KINGKONG 5 Pro Build/"
        "RP1A.200720.011; wv) " WEBKIT "Version/4.0 " MOBILE,
    "Mozilla/5.0 (Linux; Android 7.0; Cubot_H3) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 7.0; M bot 54) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 7.0; M_bot_tab_71) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; U; Android 4.4.2; en-us; VR BOT 552) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 6.0; IDbot553) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 5.1; XBot_Senior) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 13; Spider 8) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; Android 8.0.0; Expanse) " WEBKIT MOBILE,
    "Mozilla/5.0 (Linux; U; Android 11; en-US; Redmi Note 8) " WEBKIT
        "Version/4.0 Chrome/100.0.4896.58 UCBrowser/13.4.0.1306 Mobile "
        "Safari/537.36",
    "Mozilla/5.0 (Linux; U; Android 13; zh-cn; 2201123C) " WEBKIT
        "Version/4.0 Chrome/112.0.5615.136 Mobile Safari/537.36 "
        "XiaoMi/MiuiBrowser/18.2.150419",
    "Mozilla/5.0 (Linux; Android 12; HarmonyOS; NOH-AN00) " WEBKIT
        "Chrome/99.0.4844.88 HuaweiBrowser/14.0.5.303 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 13; SM-A536B) " WEBKIT MOBILE
        " DuckDuckGo/5",
    "Mozilla/5.0 (Linux; arm_64; Android 13; SM-G991B) " WEBKIT
        "Chrome/126.0.0.0 YaApp_Android/24.91 YaSearchBrowser/24.91 "
        "BroPP/1.0 Mobile Safari/537.36",
    IPHONE WEBKIT2 "Version/17.5 Mobile/15E148 Safari/604.1",
    IPHONE WEBKIT2 "CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1",
    IPHONE WEBKIT2 "FxiOS/132.0 Mobile/15E148 Safari/605.1.15",
    IPHONE WEBKIT2 "EdgiOS/131.0.2903.48 Version/17.0 Mobile/15E148 "
        "Safari/604.1",
    IPHONE WEBKIT2 "Version/17.5 Mobile/15E148 DuckDuckGo/7 Safari/605.1.15",
    "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) " WEBKIT2
        "Version/16.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Mobile; Nokia_8110_4G; rv:48.0) Gecko/48.0 Firefox/48.0 "
        "KAIOS/2.5",
    "Mozilla/5.0 (Mobile; LYF/F220B/LYF-F220B-003-01; Android; rv:48.0) "
        "Gecko/48.0 Firefox/48.0 KAIOS/2.5",
    "Opera/9.80 (J2ME/MIDP; Opera Mini/9.80 (S60; SymbOS; Opera Mobi/23.348; "
        "U; en) Presto/2.5.25 Version/10.54",
    "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) "
        "Presto/2.12.423 Version/12.16",
    "UCWEB/2.0 (Java; U; MIDP-2.0; en-US; nokia5130c-2) U2/1.0.0 "
        "UCBrowser/9.4.1.377 U2/1.0.0 Mobile",
    "BlackBerry9700/5.0.0.862 Profile/MIDP-2.1 Configuration/CLDC-1.1 "
        "VendorID/331",
    "Mozilla/5.0 (BB10; Touch) AppleWebKit/537.10+ (KHTML, like Gecko) "
        "Version/10.0.9.2372 Mobile Safari/537.10+",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; "
        "IEMobile/10.0; ARM; Touch; NOKIA; Lumia 920)",
    "Nokia6100/1.0 (04.01) Profile/MIDP-1.0 Configuration/CLDC-1.0",

    /* browsers inside apps */

    "Mozilla/5.0 (Linux; Android 13; SM-G991B Build/TP1A.220624.014; wv) "
        WEBKIT "Version/4.0 " MOBILE " [FB_IAB/FB4A;FBAV/440.0.0.32.118;]",
    IPHONE WEBKIT2 "Mobile/15E148 [FBAN/FBIOS;FBAV/464.0.0.37.109;"
        "FBBV/599632236;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.5]",
    IPHONE WEBKIT2 "Mobile/15E148 Instagram 332.0.8.26.71 (iPhone14,5; "
        "iOS 17_5; en_GB; en; scale=3.00; 1170x2532; 599632236)",
    IPHONE WEBKIT2 "Mobile/15E148 Twitter for iPhone/10.42",
    IPHONE WEBKIT2 "Mobile/15E148 [LinkedInApp]/9.29.7165",
    IPHONE WEBKIT2 "Mobile/15E148 [Pinterest/iOS]",
    "Mozilla/5.0 (Linux; Android 12; SM-A525F; wv) " WEBKIT "Version/4.0 "
        MOBILE " [Pinterest/Android]",
    IPHONE WEBKIT2 "Mobile/15E148 Snapchat/12.90.0.42 (like Safari/8617.2)",
    IPHONE WEBKIT2 "GSA/321.0.641369402 Mobile/15E148 Safari/604.1",
    IPHONE WEBKIT2 "Mobile/15E148 MicroMessenger/8.0.49(0x18003137) "
        "NetType/WIFI Language/en",
    "Mozilla/5.0 (Linux; Android 13; SM-S911B; wv) " WEBKIT "Version/4.0 "
        MOBILE " musical_ly_2023405030 BytedanceWebview/d8a21c6",
    "Mozilla/5.0 (Linux; Android 13; V2219; wv) " WEBKIT "Version/4.0 "
        MOBILE " Line/14.10.0/IAB",
    "Mozilla/5.0 (Linux; Android 9; SM-G960N; wv) " WEBKIT "Version/4.0 "
        MOBILE " KAKAOTALK 2410460",
    "Mozilla/5.0 (Linux; Android 13; Pixel 6; wv) " WEBKIT "Version/4.0 "
        MOBILE " Reddit/Version 2024.20.0/Build 1577/Android 13",
    IPHONE WEBKIT2 "Mobile/15E148 YandexSearch/24.11.2 YandexSearch/apad",
    "Mozilla/5.0 (Linux; Android 13; SM-A515F; wv) " WEBKIT "Version/4.0 "
        MOBILE " GSA/15.20.36.28.arm64",

    /* consoles, televisions, cars, glasses */

    "Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/13.0 Safari/605.1.15",
    "Mozilla/5.0 (PlayStation 4 11.02) AppleWebKit/605.1.15 (KHTML, like "
        "Gecko)",
    "Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/601.6 "
        "(KHTML, like Gecko) NF/4.0.0.5.10 NintendoBrowser/5.1.0.13343",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox Series X) "
        WEBKIT "Chrome/48.0.2564.82 Safari/537.36 Edge/20.02",
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) " WEBKIT
        "76.0.3809.146/6.0 TV Safari/537.36",
    "Mozilla/5.0 (Web0S; Linux/SmartTV) " WEBKIT
        "Chrome/79.0.3945.79 Safari/537.36 WebAppManager",
    "Mozilla/5.0 (Linux; Android 9; AFTMM) " WEBKIT
        "Silk/120.5.2 like Chrome/120.0.6099.230 Safari/537.36",
    "Mozilla/5.0 (Linux; Andr0id 9; BRAVIA 4K UR2) " WEBKIT
        "Chrome/88.0.4324.181 Safari/537.36 OPR/46.0.2207.0 OMI/4.21",
    "Mozilla/5.0 (X11; GNU/Linux) " WEBKIT "Chromium/79.0.3945.130 "
        "Chrome/79.0.3945.130 Safari/537.36 Tesla/2022.44.25.2",
    "Mozilla/5.0 (X11; Linux x86_64; Quest 3) " WEBKIT
        "OculusBrowser/33.0.0.9 Chrome/124.0.6367.113 VR Safari/537.36",
    "Mozilla/5.0 (X11; U; Linux armv7l like Android; en-us) "
        "AppleWebKit/531.2+ (KHTML, like Gecko) Version/5.0 Safari/533.2+ "
        "Kindle/3.0+",

    /* near misses of the rules */

    WIN WEBKIT CHROME " Botany/1.0",
    WIN WEBKIT CHROME " Abbott/1.0",
    WIN WEBKIT CHROME " Curlew/1.0",
    WIN WEBKIT CHROME " Spiderman/1.0",
    WIN WEBKIT CHROME " JavaFX/8.0",
    "Mozilla/5.0 (Java; U; en-us; nokia2690) UCBrowser8.3.0.154 Mobile",
    WIN WEBKIT CHROME " http://www.example.com/",
    "Mozilla/5.0 (Linux; Android 8; Rubyphone) " WEBKIT MOBILE
};


static const robot_t  robots[] = {

    /* search */

    { "Mozilla/5.0 (compatible; Googlebot/2.1; "
      "+http://www.google.com/bot.html)", "bot" },
    { "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) " WEBKIT
      "Chrome/131.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; "
      "+http://www.google.com/bot.html)", "bot" },
    { "Googlebot-Image/1.0", "bot" },
    { "AdsBot-Google (+http://www.google.com/adsbot.html)", "bot" },
    { "Mediapartners-Google", "mediapartners-google" },
    { "APIs-Google (+https://developers.google.com/webmasters/"
      "APIs-Google.html)", "apis-google" },
    { "FeedFetcher-Google; (+http://www.google.com/feedfetcher.html)",
      "feedfetcher-google" },
    { "Mozilla/5.0 (compatible; Google-InspectionTool/1.0;)",
      "google-inspectiontool" },
    { "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; "
      "GoogleOther) Chrome/131.0.0.0 Safari/537.36", "googleother" },
    { "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; "
      "bingbot/2.0; +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 "
      "Safari/537.36", "bot" },
    { "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like "
      "Gecko) BingPreview/1.0b", "bingpreview" },
    { "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)", "bot" },
    { "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
      "bot" },
    { "Mozilla/5.0 (compatible; YandexMetrika/2.0; +http://yandex.com/bots)",
      "+http" },
    { "Mozilla/5.0 (compatible; Baiduspider/2.0; "
      "+http://www.baidu.com/search/spider.html)", "spider" },
    { "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm)",
      "spider" },
    { MAC WEBKIT2 "Version/17.4 Safari/605.1.15 (Applebot/0.1; "
      "+http://www.apple.com/go/applebot)", "bot" },
    { "Mozilla/5.0 (compatible; Yahoo! Slurp; "
      "http://help.yahoo.com/help/us/ysearch/slurp)", "slurp" },
    { "Mozilla/5.0 (compatible; Yeti/1.1; +https://naver.me/spd)", "yeti/" },
    { "Mozilla/5.0 (compatible; PetalBot; "
      "+https://webmaster.petalsearch.com/site/petalbot)", "bot" },
    { "Mozilla/5.0 (compatible; SeznamBot/4.0; "
      "+http://napoveda.seznam.cz/seznambot-intro/)", "bot" },
    { "Mozilla/5.0 (compatible; archive.org_bot "
      "+http://archive.org/details/archive.org_bot)", "bot" },
    { "ia_archiver (+http://www.alexa.com/site/help/webmasters)",
      "ia_archiver" },

    /* link lists and language models */

    { "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
      "bot" },
    { "Mozilla/5.0 (compatible; SemrushBot/7~bl; "
      "+http://www.semrush.com/bot.html)", "bot" },
    { "Mozilla/5.0 (compatible; MJ12bot/v1.4.8; http://mj12bot.com/)",
      "bot" },
    { "Mozilla/5.0 (compatible; DotBot/1.2; "
      "+https://opensiteexplorer.org/dotbot; help@moz.com)", "bot" },
    { "Mozilla/5.0 (compatible; Barkrowler/0.9; +https://babbar.tech/crawler)",
      "barkrowler" },
    { "Screaming Frog SEO Spider/19.4", "screaming frog" },
    { "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; "
      "GPTBot/1.2; +https://openai.com/gptbot)", "bot" },
    { "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; "
      "ChatGPT-User/1.0; +https://openai.com/bot", "chatgpt-user" },
    { "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; "
      "ClaudeBot/1.0; +claudebot@anthropic.com)", "bot" },
    { "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; "
      "Claude-User/1.0; +Claude-User@anthropic.com)", "claude-user" },
    { "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; "
      "Perplexity-User/1.0; +https://perplexity.ai/perplexity-user)",
      "perplexity-user" },
    { "CCBot/2.0 (https://commoncrawl.org/faq/)", "bot" },
    { "Mozilla/5.0 (Linux; Android 5.0) " WEBKIT "Mobile Safari/537.36 "
      "(compatible; Bytespider; spider-feedback@bytedance.com)", "spider" },
    { "Mozilla/5.0 " WEBKIT "(compatible; Amazonbot/0.1; "
      "+https://developer.amazon.com/support/amazonbot) Chrome/119.0.6045.214 "
      "Safari/537.36", "bot" },
    { "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/"
      "webmasters/crawler)", "meta-externalagent" },

    /* previews */

    { "facebookexternalhit/1.1 "
      "(+http://www.facebook.com/externalhit_uatext.php)",
      "facebookexternalhit" },
    { "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 "
      "(KHTML, like Gecko) Version/9.0.1 Safari/601.2.4 "
      "facebookexternalhit/1.1 Facebot Twitterbot/1.0",
      "facebookexternalhit" },
    { "Twitterbot/1.0 (preview)", "bot" },
    { "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient "
      "+http://www.linkedin.com)", "bot" },
    { "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "bot" },
    { "Slack-ImgProxy (+https://api.slack.com/robots)", "slack-imgproxy" },
    { "TelegramBot (like TwitterBot)", "bot" },
    { "WhatsApp/2.23.20.0 A", "whatsapp/" },
    { "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
      "bot" },
    { "Pinterest/0.2 (+https://www.pinterest.com/bot.html)", "pinterest/" },
    { "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
      "skypeuripreview" },
    { "Mozilla/5.0 (compatible; Bluesky Cardyb/1.1; "
      "+mailto:support@bsky.app)", "cardyb" },
    { "http.rb/5.1.1 (Mastodon/4.2.10; +https://mastodon.example/)",
      "http.rb" },

    /* feed readers */

    { "Feedly/1.0 (+http://www.feedly.com/fetcher.html; like "
      "FeedFetcher-Google)", "feedly" },
    { "Mozilla/5.0 (compatible; inoreader.com; 1 subscribers)",
      "inoreader" },
    { "Tiny Tiny RSS/21.05 (Unsupported) (https://tt-rss.org/)",
      "tiny tiny rss" },
    { "WordPress/6.6.2; https://blog.example", "wordpress/" },

    /* monitors */

    { "Mozilla/5.0+(compatible; UptimeRobot/2.0; "
      "http://www.uptimerobot.com/)", "bot" },
    { "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)", "bot" },
    { "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/534.34 (KHTML, like "
      "Gecko) PingdomTMS/0.8.5 Safari/534.34", "pingdomtms" },
    { "Mozilla/5.0 (Windows NT 6.2; WOW64) " WEBKIT "Chrome/98.0.4758.102 "
      "Safari/537.36 StatusCake", "statuscake" },
    { "Mozilla/5.0 (compatible; Site24x7; Windows NT 10.0)", "site24x7" },
    { WIN WEBKIT CHROME " DatadogSynthetics", "datadogsynthetics" },
    { "Amazon-Route53-Health-Check-Service (ref 1; report http://amzn.to/1)",
      "amazon-route53-health-check-service" },
    { "ELB-HealthChecker/2.0", "checker" },
    { "GoogleStackdriverMonitoring-UptimeChecks(https://cloud.google.com/"
      "monitoring)", "googlestackdrivermonitoring" },
    { "check_http/v2.3.3 (nagios-plugins 2.3.3)", "check_http" },
    { "Uptime-Kuma/1.23.16", "uptime" },

    /* libraries */

    { "curl/7.88.1-DEV libcurl", "curl" },
    { "Wget/1.21.3 (linux-gnu)", "wget" },
    { "python-requests/2.32.3", "python-requests" },
    { "Python-urllib/3.11", "python-urllib" },
    { "Python/3.11 aiohttp/3.9.5", "python/" },
    { "python-httpx/0.27.0", "python-httpx" },
    { "Go-http-client/1.1", "go-http-client" },
    { "Java/17.0.12-internal", "java/" },
    { "okhttp/4.12.0-alpha", "okhttp" },
    { "Apache-HttpClient/4.5.14 (Java/17.0.12)", "httpclient" },
    { "axios/1.7.7 (browserless)", "axios" },
    { "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
      "node-fetch" },
    { "libwww-perl/6.72", "libwww-perl" },
    { "GuzzleHttp/7 curl/7.88.1 PHP/8.2.20", "guzzlehttp" },
    { "Symfony HttpClient (Curl)", "httpclient" },
    { "PHP/8.2.20 (stream)", "php/" },
    { "Ruby, Twurly v1.1 (http://twurly.org)", "ruby" },
    { "rest-client/2.1.0 (linux x86_64) ruby/3.1.2p20", "rest-client" },
    { "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-GB) "
      "WindowsPowerShell/5.1.19041.4648", "windowspowershell" },
    { "Dalvik/2.1.0 (Linux; U; Android 13; SM-G991B Build/TP1A.220624.014)",
      "dalvik/" },
    { "MyApp/1.0 CFNetwork/1498.700.2 Darwin/23.6.0", "cfnetwork" },
    { "Scrapy/2.11.2 (+https://scrapy.org)", "scrapy" },
    { "Microsoft Office Protocol Discovery", "microsoft office" },

    /* driven browsers */

    { LINUX WEBKIT "HeadlessChrome/131.0.0.0 Safari/537.36",
      "headlesschrome" },
    { "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like "
      "Gecko) PhantomJS/2.1.1 Safari/538.1", "phantomjs" },
    { WIN WEBKIT CHROME " Puppeteer", "puppeteer" },
    { WIN WEBKIT CHROME " Playwright/1.49.0", "playwright" },
    { "Mozilla/5.0 (Linux; Android 11; moto g power (2022)) " WEBKIT MOBILE
      " Chrome-Lighthouse", "lighthouse" },
    { "Mozilla/5.0 (linux) " WEBKIT "jsdom/22.1.0", "jsdom" },
    { LINUX WEBKIT CHROME " PTST/240909.184331", "ptst" },

    /* scanners */

    { "Mozilla/5.0 zgrab/0.x (compatible)", "zgrab" },
    { "Mozilla/5.0 (compatible; Nmap Scripting Engine; "
      "https://nmap.org/book/nse.html)", "nmap scripting engine" },
    { "Mozilla/5.0 (compatible; CensysInspect/1.1; "
      "+https://about.censys.io/)", "+https" },

    /* nobody says so little */

    { "", "" },
    { "-", "" },
    { "node", "" },
    { "Mozilla/5.0", "" },
    { "   Mozilla/5.0                    ", "" },
    { "123456789012345", "" }
};


static rfl_str_t
guarded(const char *text)
{
    size_t  len;

    len = strlen(text);

    return rfl_str(guard_copy(text, len), len);
}


static void
test_browsers(void **state)
{
    size_t                   i;
    const rfl_agent_rule_t  *rule;

    for (i = 0; i < sizeof(browsers) / sizeof(browsers[0]); i++) {
        rule = rfl_agent_match(guarded(browsers[i]));

        if (rule != NULL) {
            fail_msg("%s: a robot by \"%s\"", browsers[i], rule->token);
        }

        guard_free_all();
    }
}


static void
test_robots(void **state)
{
    size_t                   i;
    const rfl_agent_rule_t  *rule;

    for (i = 0; i < sizeof(robots) / sizeof(robots[0]); i++) {
        rule = rfl_agent_match(guarded(robots[i].agent));

        if (rule == NULL) {
            fail_msg("%s: no robot", robots[i].agent);
        }

        if (strcmp(rule->token, robots[i].token) != 0) {
            fail_msg("%s: by \"%s\", wanted \"%s\"", robots[i].agent,
                     rule->token, robots[i].token);
        }

        guard_free_all();
    }
}


static void
test_enough_agents(void **state)
{
    assert_true(sizeof(browsers) / sizeof(browsers[0]) >= 60);
    assert_true(sizeof(robots) / sizeof(robots[0]) >= 60);
}


/* Also says that the index knows each rule. */

static void
test_every_rule_finds_its_own_token(void **state)
{
    size_t                   i;
    char                     text[256];
    const rfl_agent_rule_t  *rule, *found;

    for (i = 0; i < rfl_agent_nrules; i++) {
        rule = &rfl_agent_rules[i];

        (void) snprintf(text, sizeof(text), "%s%s 0123456789012345",
                        rule->is_prefix ? "" : "Mozilla/5.0 ", rule->token);

        found = rfl_agent_match(rfl_cstr(text));

        if (found != rule) {
            fail_msg("%s: %s", text, found == NULL ? "no robot"
                                                   : found->token);
        }
    }
}


static void
test_every_rule_has_family_and_source(void **state)
{
    size_t                   i;
    const char              *p;
    const rfl_agent_rule_t  *rule;

    for (i = 0; i < rfl_agent_nrules; i++) {
        rule = &rfl_agent_rules[i];

        assert_true(strlen(rule->family) > 0);
        assert_true(strncmp(rule->source, "https://", 8) == 0
                    || strncmp(rule->source, "http://", 7) == 0);
        assert_true(strlen(rule->token) > 1);

        for (p = rule->token; *p != '\0'; p++) {
            assert_false(*p >= 'A' && *p <= 'Z');

            if (rule->in_word) {
                assert_in_range(*p, 'a', 'z');
            }
        }
    }
}


static void
test_a_token_is_whole(void **state)
{
    assert_non_null(rfl_agent_match(rfl_cstr("some client curl")));
    assert_non_null(rfl_agent_match(rfl_cstr("some client CURL7")));
    assert_non_null(rfl_agent_match(rfl_cstr("some client;curl/8")));
    assert_null(rfl_agent_match(rfl_cstr("some client curls")));
    assert_null(rfl_agent_match(rfl_cstr("some client xcurl")));

    assert_non_null(rfl_agent_match(rfl_cstr("some client xbot")));
    assert_non_null(rfl_agent_match(rfl_cstr("some client BOT")));
    assert_non_null(rfl_agent_match(rfl_cstr("some client bot2")));
    assert_null(rfl_agent_match(rfl_cstr("some client botx")));

    assert_non_null(rfl_agent_match(rfl_cstr("java/1.8.0_392-b08")));
    assert_null(rfl_agent_match(rfl_cstr("some client java/1.8.0")));

    assert_non_null(rfl_agent_match(rfl_cstr("some client +https://a")));
    assert_null(rfl_agent_match(rfl_cstr("some client https://a")));
    assert_null(rfl_agent_match(rfl_cstr("http client as a name")));

    assert_null(rfl_agent_match(rfl_cstr("some client go-http-clients")));
    assert_null(rfl_agent_match(rfl_cstr("some client go-http-clien")));
}


static void
test_limits(void **state)
{
    char    text[RFL_AGENT_MAX + 2];
    size_t  i;

    memset(text, 'x', sizeof(text));

    assert_non_null(rfl_agent_match(rfl_str(text, RFL_AGENT_MIN - 1)));
    assert_null(rfl_agent_match(rfl_str(text, RFL_AGENT_MIN)));

    for (i = RFL_AGENT_MAX - 4; i < sizeof(text); i++) {
        text[i] = ' ';
    }

    memcpy(text + RFL_AGENT_MAX - 3, "bot", 3);
    assert_non_null(rfl_agent_match(rfl_str(text, RFL_AGENT_MAX)));
    assert_non_null(rfl_agent_match(rfl_str(text, RFL_AGENT_MAX + 1)));

    memcpy(text + RFL_AGENT_MAX - 3, " bot", 4);
    assert_null(rfl_agent_match(rfl_str(text, RFL_AGENT_MAX + 1)));
}


static void
test_all_bytes_are_read_safely(void **state)
{
    unsigned  c;
    u_char    text[RFL_AGENT_MIN + 4];

    for (c = 0; c < 256; c++) {
        memset(text, (int) c, sizeof(text));
        (void) rfl_agent_match(rfl_str(guard_copy(text, sizeof(text)),
                                       sizeof(text)));
        guard_free_all();
    }
}


static void
test_the_cache_agrees(void **state)
{
    int                 round;
    size_t              i;
    rfl_agent_cache_t  *cache;

    cache = rfl_agent_cache_create();
    assert_non_null(cache);

    for (round = 0; round < 2; round++) {

        for (i = 0; i < sizeof(browsers) / sizeof(browsers[0]); i++) {
            assert_int_equal(rfl_agent_is_bot(cache, guarded(browsers[i])), 0);
            assert_int_equal(rfl_agent_is_bot(NULL, guarded(browsers[i])), 0);
            guard_free_all();
        }

        for (i = 0; i < sizeof(robots) / sizeof(robots[0]); i++) {
            assert_int_equal(rfl_agent_is_bot(cache,
                                              guarded(robots[i].agent)), 1);
            assert_int_equal(rfl_agent_is_bot(NULL,
                                              guarded(robots[i].agent)), 1);
            guard_free_all();
        }
    }

    rfl_agent_cache_free(cache);
    rfl_agent_cache_free(NULL);
}


static void
test_more_agents_than_the_cache_holds(void **state)
{
    int                 round;
    char                text[64];
    unsigned            i;
    rfl_agent_cache_t  *cache;

    cache = rfl_agent_cache_create();
    assert_non_null(cache);

    for (round = 0; round < 2; round++) {
        for (i = 0; i < MANY; i++) {
            (void) snprintf(text, sizeof(text), "Mozilla/5.0 Some%s/%u",
                            i % 3 == 0 ? "bot" : "browser", i);

            assert_int_equal(rfl_agent_is_bot(cache, rfl_cstr(text)),
                             i % 3 == 0);
        }
    }

    rfl_agent_cache_free(cache);
}


/* What lies behind the limit changes neither verdict nor key. */

static void
test_the_cache_cuts_as_the_matcher_does(void **state)
{
    char                text[2 * RFL_AGENT_MAX];
    rfl_agent_cache_t  *cache;

    memset(text, 'x', sizeof(text));
    memcpy(text + RFL_AGENT_MAX, " bot ", 5);

    cache = rfl_agent_cache_create();
    assert_non_null(cache);

    assert_int_equal(rfl_agent_is_bot(cache, rfl_str(text, sizeof(text))), 0);
    assert_int_equal(rfl_agent_is_bot(cache, rfl_str(text, RFL_AGENT_MAX)), 0);

    rfl_agent_cache_free(cache);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_browsers),
        cmocka_unit_test(test_robots),
        cmocka_unit_test(test_enough_agents),
        cmocka_unit_test(test_every_rule_finds_its_own_token),
        cmocka_unit_test(test_every_rule_has_family_and_source),
        cmocka_unit_test(test_a_token_is_whole),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_all_bytes_are_read_safely),
        cmocka_unit_test(test_the_cache_agrees),
        cmocka_unit_test(test_more_agents_than_the_cache_holds),
        cmocka_unit_test(test_the_cache_cuts_as_the_matcher_does),
    };

    return cmocka_run_group_tests_name("rfl_agent", tests, NULL, NULL);
}
