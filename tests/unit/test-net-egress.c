/* The egress policy, as tables: addresses, URLs and the operator's exemptions. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <CUnit/CUnit.h>

#include "net/egress.h"

void suite_net_egress(void);

static void check(bool is_right, int line, const char *what)
{
	char text[512];

	snprintf(text, sizeof(text), "line %d: %.400s", line, what);
	CU_assertImplementation(is_right, (unsigned)line, text, __FILE__, "", CU_FALSE);
}

static bool is_allowed(const struct config *cfg, const char *host, int port, const char *address)
{
	struct sockaddr_storage ss = {0};
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, address, &in.sin_addr) == 1)
		memcpy(&ss, &in, sizeof(in));
	else if (inet_pton(AF_INET6, address, &in6.sin6_addr) == 1)
		memcpy(&ss, &in6, sizeof(in6));
	else
		CU_FAIL("the test's own address");
	return egress_is_allowed(cfg, host, port, (const struct sockaddr *)&ss);
}

/* What may be reached: by default, with loopback allowed, with private ranges allowed. */
static const struct {
	int line;
	const char *address;
	bool plain, loopback, private;
} addresses[] = {
    {__LINE__, "8.8.8.8", true, true, true},
    {__LINE__, "1.1.1.1", true, true, true},
    {__LINE__, "9.255.255.255", true, true, true},
    {__LINE__, "11.0.0.0", true, true, true},
    {__LINE__, "100.63.255.255", true, true, true},
    {__LINE__, "100.128.0.0", true, true, true},
    {__LINE__, "172.15.255.255", true, true, true},
    {__LINE__, "172.32.0.0", true, true, true},
    {__LINE__, "192.0.1.0", true, true, true},
    {__LINE__, "198.17.255.255", true, true, true},
    {__LINE__, "198.20.0.0", true, true, true},
    {__LINE__, "223.255.255.255", true, true, true},
    {__LINE__, "0.0.0.0", false, false, false},
    {__LINE__, "0.1.2.3", false, false, false},
    {__LINE__, "10.0.0.1", false, false, true},
    {__LINE__, "10.255.255.255", false, false, true},
    {__LINE__, "100.64.0.1", false, false, true},
    {__LINE__, "100.127.255.255", false, false, true},
    {__LINE__, "127.0.0.1", false, true, false},
    {__LINE__, "127.255.255.254", false, true, false},
    {__LINE__, "169.254.169.254", false, false, false},
    {__LINE__, "172.16.0.1", false, false, true},
    {__LINE__, "172.31.255.255", false, false, true},
    {__LINE__, "192.0.0.1", false, false, false},
    {__LINE__, "192.0.2.1", false, false, false},
    {__LINE__, "192.168.1.1", false, false, true},
    {__LINE__, "198.18.0.1", false, false, false},
    {__LINE__, "198.19.255.255", false, false, false},
    {__LINE__, "198.51.100.7", false, false, false},
    {__LINE__, "203.0.113.7", false, false, false},
    {__LINE__, "224.0.0.1", false, false, false},
    {__LINE__, "239.255.255.255", false, false, false},
    {__LINE__, "240.0.0.1", false, false, false},
    {__LINE__, "255.255.255.255", false, false, false},
    {__LINE__, "2001:4860:4860::8888", true, true, true},
    {__LINE__, "2606:4700:4700::1111", true, true, true},
    {__LINE__, "::", false, false, false},
    {__LINE__, "::1", false, true, false},
    {__LINE__, "::2", false, false, false},
    {__LINE__, "::8.8.8.8", false, false, false},
    {__LINE__, "fc00::1", false, false, true},
    {__LINE__, "fdff::1", false, false, true},
    {__LINE__, "fe80::1", false, false, false},
    {__LINE__, "febf::1", false, false, false},
    {__LINE__, "fec0::1", false, false, false},
    {__LINE__, "ff02::1", false, false, false},
    {__LINE__, "2001:db8::1", false, false, false},
    {__LINE__, "2001::1", false, false, false},
    {__LINE__, "3fff::1", false, false, false},
    {__LINE__, "3ffe::1", true, true, true},
    {__LINE__, "64:ff9b:1::1", false, false, false},
    {__LINE__, "4000::1", false, false, false},
    /* metadata of clouds, in whatever range it lies and however it is wrapped */
    {__LINE__, "100.100.100.200", false, false, false},
    {__LINE__, "100.100.100.201", false, false, true},
    {__LINE__, "168.63.129.16", false, false, false},
    {__LINE__, "168.63.129.17", true, true, true},
    {__LINE__, "fd00:ec2::254", false, false, false},
    {__LINE__, "fd00:ec2::23", false, false, false},
    {__LINE__, "fd00:ec3::254", false, false, true},
    {__LINE__, "fd20:ce::254", false, false, false},
    {__LINE__, "fd20:ce::253", false, false, true},
    {__LINE__, "::ffff:100.100.100.200", false, false, false},
    {__LINE__, "::ffff:168.63.129.16", false, false, false},
    {__LINE__, "64:ff9b::100.100.100.200", false, false, false},
    {__LINE__, "64:ff9b::168.63.129.16", false, false, false},
    {__LINE__, "2002:6464:64c8::1", false, false, false},
    {__LINE__, "2002:a83f:8110::1", false, false, false},
    /* wrapped IPv4 is judged as what is inside */
    {__LINE__, "::ffff:8.8.8.8", true, true, true},
    {__LINE__, "::ffff:127.0.0.1", false, true, false},
    {__LINE__, "::ffff:10.0.0.1", false, false, true},
    {__LINE__, "::ffff:169.254.169.254", false, false, false},
    {__LINE__, "::ffff:0:127.0.0.1", false, false, false},
    {__LINE__, "64:ff9b::8.8.8.8", true, true, true},
    {__LINE__, "64:ff9b::127.0.0.1", false, true, false},
    {__LINE__, "64:ff9b::a9fe:a9fe", false, false, false},
    {__LINE__, "2002:808:808::1", true, true, true},
    {__LINE__, "2002:7f00:1::", false, true, false},
    {__LINE__, "2002:a00:1::1", false, false, true},
    {__LINE__, "2002:a9fe:a9fe::1", false, false, false},
};

static void test_addresses(void)
{
	const struct config plain = {0}, loopback = {.egress_allow_loopback = true},
			    private = {.egress_allow_private = true};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		const char *a = addresses[i].address;

		check(is_allowed(&plain, "h", 80, a) == addresses[i].plain, addresses[i].line, a);
		check(is_allowed(&loopback, "h", 80, a) == addresses[i].loopback, addresses[i].line,
		    a);
		check(
		    is_allowed(&private, "h", 80, a) == addresses[i].private, addresses[i].line, a);
	}
}

static void test_other_families(void)
{
	const struct config cfg = {.egress_allow_loopback = true, .egress_allow_private = true};
	struct sockaddr_un un = {.sun_family = AF_UNIX};

	CU_ASSERT_FALSE(egress_is_allowed(&cfg, "h", 80, (const struct sockaddr *)&un));
}

static const struct {
	int line;
	const char *list, *host;
	int port;
	bool is_allowed;
} exemptions[] = {
    {__LINE__, "", "crm.internal", 80, false},
    {__LINE__, NULL, "crm.internal", 80, false},
    {__LINE__, "crm.internal", "crm.internal", 80, true},
    {__LINE__, "crm.internal", "crm.internal", 8443, true},
    {__LINE__, "CRM.Internal", "crm.internal.", 80, true},
    {__LINE__, "a, crm.internal:8443 ,b", "crm.internal", 8443, true},
    {__LINE__, "a, crm.internal:8443 ,b", "crm.internal", 443, false},
    {__LINE__, "crm.internal", "x.crm.internal", 80, false},
    {__LINE__, "crm.internal", "crm.internal.evil.example", 80, false},
    {__LINE__, "[::1]:9000", "[::1]", 9000, true},
    {__LINE__, "[::1]:9000", "[::1]", 80, false},
    {__LINE__, "[::1]", "::1", 80, true},
    {__LINE__, "10.0.0.5", "10.0.0.5", 80, true},
    {__LINE__, "crm.internal:x", "crm.internal", 80, false},
    {__LINE__, ",,", "", 80, false},
};

static void test_exemptions(void)
{
	for (size_t i = 0; i < sizeof(exemptions) / sizeof(exemptions[0]); i++) {
		const struct config cfg = {.egress_allow_hosts = exemptions[i].list};

		check(is_allowed(&cfg, exemptions[i].host, exemptions[i].port, "10.0.0.5") ==
			  exemptions[i].is_allowed,
		    exemptions[i].line, exemptions[i].host);
	}
}

static const struct {
	int line;
	const char *url;
	bool plain, open; /* open: loopback and private ranges allowed */
} urls[] = {
    {__LINE__, "https://graph.facebook.com/v25.0/1?fields=id", true, true},
    {__LINE__, "http://example.com", true, true},
    {__LINE__, "HTTPS://EXAMPLE.COM:8443/x", true, true},
    {__LINE__, "https://example.com?x=a@b", true, true},
    {__LINE__, "https://example.com/a@b", true, true},
    {__LINE__, "http://[2606:4700:4700::1111]/", true, true},
    {__LINE__, "http://134744072/", true, true}, /* 8.8.8.8 */
    {__LINE__, "http://127.0.0.1/", false, true},
    {__LINE__, "http://127.0.0.1./", false, true},
    {__LINE__, "http://127.1/", false, true},
    {__LINE__, "http://2130706433/", false, true},
    {__LINE__, "http://0x7f000001/", false, true},
    {__LINE__, "http://0x7f.0.0.1/", false, true},
    {__LINE__, "http://017700000001/", false, true},
    {__LINE__, "http://0177.0.0.01/", false, true},
    {__LINE__, "http://localhost/", false, true},
    {__LINE__, "http://LOCALHOST.:80/", false, true},
    {__LINE__, "http://a.localhost/", false, true},
    {__LINE__, "http://192.168.0.1/", false, true},
    {__LINE__, "http://0xc0a80001/", false, true},
    {__LINE__, "http://169.254.169.254/latest/meta-data", false, false},
    {__LINE__, "http://2852039166/", false, false}, /* 169.254.169.254 */
    {__LINE__, "http://100.100.100.200/", false, false},
    {__LINE__, "http://1684301000/", false, false}, /* 100.100.100.200 */
    {__LINE__, "http://0x646464c8/", false, false},
    {__LINE__, "http://168.63.129.16/", false, false},
    {__LINE__, "http://2822734096/", false, false}, /* 168.63.129.16 */
    {__LINE__, "http://0xa8.0x3f.0x81.0x10/", false, false},
    {__LINE__, "http://[fd00:ec2::254]/", false, false},
    {__LINE__, "http://[fd20:ce::254]/", false, false},
    {__LINE__, "http://[::ffff:6464:64c8]/", false, false},
    {__LINE__, "http://0/", false, false},
    {__LINE__, "http://[::]/", false, false},
    {__LINE__, "http://[::1]/", false, true},
    {__LINE__, "http://[::1]:8080/", false, true},
    {__LINE__, "http://[::ffff:127.0.0.1]/", false, true},
    {__LINE__, "http://[::ffff:7f00:1]/", false, true},
    {__LINE__, "http://[64:ff9b::10.0.0.1]/", false, true},
    {__LINE__, "http://[2002:7f00:1::]/", false, true},
    {__LINE__, "http://[fe80::1%25eth0]/", false, false},
    {__LINE__, "http://[fe80::1]/", false, false},
    {__LINE__, "http://[::1/", false, false},
    {__LINE__, "http://[::1]x/", false, false},
    {__LINE__, "http://[nonsense]/", false, false},
    {__LINE__, "http://user@example.com/", false, false},
    {__LINE__, "http://user:pass@example.com/", false, false},
    {__LINE__, "http://example.com@127.0.0.1/", false, false},
    {__LINE__, "http://:@example.com/", false, false},
    {__LINE__, "http://example.com\\@127.0.0.1/", false, false},
    {__LINE__, "http://127.0.0.1#@example.com/", false, true},
    {__LINE__, "http://example.com:0/", false, false},
    {__LINE__, "http://example.com:65536/", false, false},
    {__LINE__, "http://example.com:/", false, false},
    {__LINE__, "http://example.com:80x/", false, false},
    {__LINE__, "http://example.com:1:2/", false, false},
    {__LINE__, "file:///etc/passwd", false, false},
    {__LINE__, "gopher://example.com/", false, false},
    {__LINE__, "ftp://example.com/", false, false},
    {__LINE__, "dict://127.0.0.1:11211/", false, false},
    {__LINE__, "javascript:alert(1)", false, false},
    {__LINE__, "//example.com/", false, false},
    {__LINE__, "example.com", false, false},
    {__LINE__, "http:/example.com", false, false},
    {__LINE__, "http:///x", false, false},
    {__LINE__, "http://", false, false},
    {__LINE__, "", false, false},
    {__LINE__, " http://example.com/", false, false},
    {__LINE__, "http://exam ple.com/", false, false},
    {__LINE__, "http://example.com/\r\nHost: x", false, false},
    {__LINE__, "http://ex\xc3\xa4mple.com/", false, false},
    {__LINE__,
	"http://127\xe3\x80\x82"
	"0.0.1/",
	false, false},
    {__LINE__, "http://%31%32%37.0.0.1/", false, false},
    {__LINE__, "http://a,b/", false, false},
};

static void test_urls(void)
{
	const struct config plain = {0},
			    open = {.egress_allow_loopback = true, .egress_allow_private = true};

	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct err err = ERR_INIT, err2 = ERR_INIT;

		check((egress_check_url(&plain, urls[i].url, &err) == 0) == urls[i].plain,
		    urls[i].line, urls[i].url);
		check(urls[i].plain || err.code == ERR_REFUSED, urls[i].line, err.msg);
		check((egress_check_url(&open, urls[i].url, &err2) == 0) == urls[i].open,
		    urls[i].line, urls[i].url);
	}
	CU_ASSERT_EQUAL(egress_check_url(&plain, NULL, NULL), -1);
}

static void test_url_limits(void)
{
	const struct config cfg = {.egress_allow_hosts = "127.0.0.1:8081"};
	char text[5000] = "http://example.com/";
	struct err err = ERR_INIT;

	memset(text + 19, 'a', sizeof(text) - 20);
	CU_ASSERT_EQUAL(egress_check_url(&cfg, text, &err), -1);
	CU_ASSERT_EQUAL(err.code, ERR_REFUSED);
	CU_ASSERT_EQUAL(egress_check_url(&cfg, "http://127.0.0.1:8081/", NULL), 0);
	CU_ASSERT_EQUAL(egress_check_url(&cfg, "http://127.0.0.1:8082/", NULL), -1);
	memcpy(text, "http://", 7);
	memset(text + 7, 'a', 260);
	text[267] = '\0';
	CU_ASSERT_EQUAL(egress_check_url(&cfg, text, NULL), -1);
}

void suite_net_egress(void)
{
	CU_pSuite s = CU_add_suite("net_egress", NULL, NULL);

	CU_add_test(s, "addresses by range", test_addresses);
	CU_add_test(s, "other address families are refused", test_other_families);
	CU_add_test(s, "exempt hosts", test_exemptions);
	CU_add_test(s, "URLs", test_urls);
	CU_add_test(s, "URL bounds and exempt ports", test_url_limits);
}
