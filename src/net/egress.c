/* The egress policy. The tables are the special-purpose registries of RFC 6890 (IANA IPv4 and IPv6
 * special-purpose address registries) reduced to what matters here: which kind an address is of. */
#include "net/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"
#include "base/str.h"

enum address_kind { KIND_PUBLIC, KIND_LOOPBACK, KIND_PRIVATE, KIND_FORBIDDEN };

struct ipv4_range {
	uint32_t net; /* host byte order */
	int bits;
	enum address_kind kind;
};

/* The first that fits. Where clouds keep their metadata and the credentials in it stands before
 * what it lies in: who allows private addresses means neighbours, not these. */
static const struct ipv4_range ipv4_ranges[] = {
    {0x646464c8, 32, KIND_FORBIDDEN}, /* 100.100.100.200, metadata of Alibaba Cloud */
    {0xa83f8110, 32, KIND_FORBIDDEN}, /* 168.63.129.16, Azure's platform, of a public range */
    {0x00000000, 8, KIND_FORBIDDEN},  /* "this network" */
    {0x0a000000, 8, KIND_PRIVATE},    /* 10/8 */
    {0x64400000, 10, KIND_PRIVATE},   /* 100.64/10, carrier NAT */
    {0x7f000000, 8, KIND_LOOPBACK},
    {0xa9fe0000, 16, KIND_FORBIDDEN}, /* 169.254/16, link-local: cloud metadata */
    {0xac100000, 12, KIND_PRIVATE},   /* 172.16/12 */
    {0xc0000000, 24, KIND_FORBIDDEN}, /* 192.0.0/24, protocol assignments */
    {0xc0000200, 24, KIND_FORBIDDEN}, /* 192.0.2/24, documentation */
    {0xc0586300, 24, KIND_FORBIDDEN}, /* 192.88.99/24, 6to4 relays */
    {0xc0a80000, 16, KIND_PRIVATE},   /* 192.168/16 */
    {0xc6120000, 15, KIND_FORBIDDEN}, /* 198.18/15, benchmarks */
    {0xc6336400, 24, KIND_FORBIDDEN}, /* 198.51.100/24, documentation */
    {0xcb007100, 24, KIND_FORBIDDEN}, /* 203.0.113/24, documentation */
    {0xe0000000, 4, KIND_FORBIDDEN},  /* multicast */
    {0xf0000000, 4, KIND_FORBIDDEN},  /* reserved, and broadcast */
};

static enum address_kind kind_of_ipv4(uint32_t addr)
{
	for (size_t i = 0; i < sizeof(ipv4_ranges) / sizeof(ipv4_ranges[0]); i++) {
		const uint32_t mask = ~UINT32_C(0) << (32 - ipv4_ranges[i].bits);

		if ((addr & mask) == ipv4_ranges[i].net)
			return ipv4_ranges[i].kind;
	}
	return KIND_PUBLIC;
}

static uint32_t ipv4_load(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Does a begin with the first bits of prefix? */
static bool ipv6_has_prefix(const unsigned char a[16], const unsigned char *prefix, int bits)
{
	const size_t whole = (size_t)bits / 8;
	const int rest = bits % 8;

	if (memcmp(a, prefix, whole) != 0)
		return false;
	return rest == 0 || (a[whole] ^ prefix[whole]) >> (8 - rest) == 0;
}

#define PREFIX(a, bits, ...) ipv6_has_prefix((a), (const unsigned char[16]){__VA_ARGS__}, (bits))

static enum address_kind kind_of_ipv6(const unsigned char a[16])
{
	if (PREFIX(a, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)) /* ::ffff:0:0/96, mapped */
		return kind_of_ipv4(ipv4_load(a + 12));
	if (PREFIX(a, 96, 0x00, 0x64, 0xff, 0x9b)) /* 64:ff9b::/96, NAT64 */
		return kind_of_ipv4(ipv4_load(a + 12));
	if (PREFIX(a, 16, 0x20, 0x02)) /* 2002::/16, 6to4 */
		return kind_of_ipv4(ipv4_load(a + 2));
	if (PREFIX(a, 128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
		return KIND_LOOPBACK;
	if (PREFIX(a, 32, 0xfd, 0x00, 0x0e, 0xc2) || /* fd00:ec2::254 and more of AWS */
	    PREFIX(a, 128, 0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02,
		0x54)) /* fd20:ce::254, Google Cloud */
		return KIND_FORBIDDEN;
	if (PREFIX(a, 7, 0xfc)) /* unique local */
		return KIND_PRIVATE;
	if (PREFIX(a, 23, 0x20, 0x01) ||             /* protocol assignments, Teredo */
	    PREFIX(a, 32, 0x20, 0x01, 0x0d, 0xb8) || /* documentation */
	    PREFIX(a, 20, 0x3f, 0xff, 0x00))         /* documentation, RFC 9637 */
		return KIND_FORBIDDEN;
	/* Global unicast is given out of 2000::/3 only; ::, fe80::/10, ff00::/8 and the rest are
	 * not. */
	return PREFIX(a, 3, 0x20) ? KIND_PUBLIC : KIND_FORBIDDEN;
}

/* Takes the brackets of an IPv6 literal and one trailing dot off. */
static struct str host_plain(struct str host)
{
	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		return (struct str){host.p + 1, host.n - 2};
	if (host.n > 1 && host.p[host.n - 1] == '.')
		host.n--;
	return host;
}

/* Cuts "host[:port]"; an IPv6 host stands in brackets when a port follows. False: not of the form.
 */
static bool host_port_split(struct str text, struct str *host, struct str *port)
{
	const char *colon = NULL;

	*port = (struct str){NULL, 0};
	if (text.n > 0 && text.p[0] == '[') {
		const char *end = memchr(text.p, ']', text.n);

		if (end == NULL)
			return false;
		*host = (struct str){text.p, (size_t)(end - text.p) + 1};
		if (host->n == text.n)
			return true;
		colon = end + 1;
		if (*colon != ':')
			return false;
	} else {
		colon = memchr(text.p, ':', text.n);
		if (colon == NULL) {
			*host = text;
			return true;
		}
		*host = (struct str){text.p, (size_t)(colon - text.p)};
	}
	*port = (struct str){colon + 1, text.n - (size_t)(colon + 1 - text.p)};
	return true;
}

static bool host_is_listed(const struct config *cfg, struct str host, int port)
{
	struct str rest = str_from(cfg->egress_allow_hosts), entry;

	host = host_plain(host);
	if (host.n == 0)
		return false;
	while (rest.n > 0 && str_split(&rest, ',', &entry)) {
		struct str name, digits;
		int64_t number = 0;

		if (!host_port_split(str_trim(entry), &name, &digits))
			continue;
		if (!str_ieq(host_plain(name), host))
			continue;
		if (digits.p == NULL || (str_to_i64(digits, 1, 65535, &number) && number == port))
			return true;
	}
	return false;
}

static bool kind_is_allowed(const struct config *cfg, enum address_kind kind)
{
	switch (kind) {
	case KIND_PUBLIC:
		return true;
	case KIND_LOOPBACK:
		return cfg->egress_allow_loopback;
	case KIND_PRIVATE:
		return cfg->egress_allow_private;
	case KIND_FORBIDDEN:
		break;
	}
	return false;
}

bool egress_is_allowed(
    const struct config *cfg, const char *host, int port, const struct sockaddr *sa)
{
	enum address_kind kind;

	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		kind = kind_of_ipv4(ntohl(in.sin_addr.s_addr));
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		kind = kind_of_ipv6(in6.sin6_addr.s6_addr);
	} else {
		return false;
	}
	return kind_is_allowed(cfg, kind) || host_is_listed(cfg, str_from(host), port);
}

/* 1: the host is an address (or is always one), 0: a name that must be looked up. */
static int kind_of_host(struct str host, enum address_kind *kind)
{
	const struct str plain = host_plain(host);
	char text[256];
	struct in_addr in;
	struct in6_addr in6;

	if (plain.n >= sizeof(text))
		return 0;
	memcpy(text, plain.p, plain.n);
	text[plain.n] = '\0';
	if (host.p[0] == '[') {
		*kind = inet_pton(AF_INET6, text, &in6) == 1 ? kind_of_ipv6(in6.s6_addr)
							     : KIND_FORBIDDEN;
		return 1;
	}
	if (inet_aton(text, &in) == 1) { /* also 127.1, 0x7f000001, 017700000001, 2130706433 */
		*kind = kind_of_ipv4(ntohl(in.s_addr));
		return 1;
	}
	if (str_ieq(plain, STR("localhost")) ||
	    (plain.n > 10 && strncasecmp(plain.p + plain.n - 10, ".localhost", 10) == 0)) {
		*kind = KIND_LOOPBACK;
		return 1;
	}
	return 0;
}

static int url_check_characters(const char *url, struct err *err)
{
	const size_t n = strlen(url);

	if (n > LIMIT_URL_BYTES)
		return err_set(err, ERR_REFUSED, "is longer than %u bytes", LIMIT_URL_BYTES);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)url[i] <= ' ' || (unsigned char)url[i] >= 0x7f || url[i] == '\\')
			return err_set(
			    err, ERR_REFUSED, "holds a blank or a character that no address has");
	return 0;
}

static int host_check(struct str host, struct err *err)
{
	if (host.n == 0)
		return err_set(err, ERR_REFUSED, "names no host");
	if (host.n > 253)
		return err_set(err, ERR_REFUSED, "has a host that is longer than 253 bytes");
	for (size_t i = 0; i < host.n; i++) {
		const char c = host.p[i];
		const bool is_literal = host.p[0] == '[';

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    c == '.' || c == '-' || c == '_' || (is_literal && strchr("[]:", c) != NULL))
			continue;
		return err_set(
		    err, ERR_REFUSED, "has a host with a character that no host name has");
	}
	return 0;
}

/* Scheme, host and port of a URL; false: it has none. */
struct url_head {
	struct str scheme, host;
	int64_t port;
};

static bool url_head_read(const char *url, struct url_head *out)
{
	const char *colon = strstr(url, "://");
	struct str authority, digits;

	if (colon == NULL)
		return false;
	out->scheme = (struct str){url, (size_t)(colon - url)};
	out->port = str_ieq(out->scheme, STR("https")) ? 443 : 80;
	authority = (struct str){colon + 3, strcspn(colon + 3, "/?#")};
	return host_port_split(authority, &out->host, &digits) && out->host.n > 0 &&
	       (digits.p == NULL || str_to_i64(digits, 1, 65535, &out->port));
}

const char *egress_origin(struct arena *a, const char *url)
{
	struct url_head head;
	char *text;

	if (!url_head_read(url, &head))
		return url;
	if (head.host.n > 1 && head.host.p[head.host.n - 1] == '.')
		head.host.n--;
	text = arena_printf(
	    a, "%.*s://%.*s", (int)head.scheme.n, head.scheme.p, (int)head.host.n, head.host.p);
	for (char *c = text; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (head.port == (str_ieq(head.scheme, STR("https")) ? 443 : 80))
		return text;
	return arena_printf(a, "%s:%d", text, (int)head.port);
}

bool egress_may_carry_secret(const struct config *cfg, const char *url)
{
	enum address_kind kind;
	struct url_head head;

	if (!url_head_read(url, &head))
		return false;
	return str_ieq(head.scheme, STR("https")) ||
	       (kind_of_host(head.host, &kind) == 1 && kind == KIND_LOOPBACK &&
		   kind_is_allowed(cfg, kind)) ||
	       host_is_listed(cfg, head.host, (int)head.port);
}

int egress_check_url(const struct config *cfg, const char *url, struct err *err)
{
	struct str rest, authority, host, digits;
	int64_t port = 80;
	enum address_kind kind;

	if (url == NULL || *url == '\0')
		return err_set(err, ERR_REFUSED, "is empty");
	if (url_check_characters(url, err) == -1)
		return -1;
	if (strncasecmp(url, "http://", 7) == 0) {
		rest = str_from(url + 7);
	} else if (strncasecmp(url, "https://", 8) == 0) {
		rest = str_from(url + 8);
		port = 443;
	} else {
		return err_set(err, ERR_REFUSED, "must begin with http:// or https://");
	}
	authority = (struct str){rest.p, strcspn(rest.p, "/?#")};
	if (memchr(authority.p, '@', authority.n) != NULL)
		return err_set(err, ERR_REFUSED, "must not hold a user name or password");
	if (!host_port_split(authority, &host, &digits))
		return err_set(
		    err, ERR_REFUSED, "has a host that is not of the form host or host:port");
	if (host_check(host, err) == -1)
		return -1;
	if (digits.p != NULL && !str_to_i64(digits, 1, 65535, &port))
		return err_set(err, ERR_REFUSED, "has a port that is not a number from 1 to 65535");
	if (kind_of_host(host, &kind) == 1 && !kind_is_allowed(cfg, kind) &&
	    !host_is_listed(cfg, host, (int)port))
		return err_set(err, ERR_REFUSED, "leads to %.*s, which is not a public address",
		    (int)host.n, host.p);
	return 0;
}
