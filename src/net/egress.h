/* Which addresses the product may call: public unicast only, unless the operator allows
 * loopback, private ranges or named hosts. Decided on the binary address of the socket about to
 * connect, so names, redirects and rebinding don't matter. The addresses where clouds
 * keep their metadata, all link-local ones, multicast and the unspecified address are reached by a
 * named host only, whatever else is allowed. */
#ifndef NET_EGRESS_H
#define NET_EGRESS_H
#include <stdbool.h>
#include <sys/socket.h>

#include "base/config.h"

/* host is the URL's, for the exemption list. IPv4-mapped, 6to4, NAT64 forms are unwrapped first. */
bool egress_is_allowed(
    const struct config *cfg, const char *host, int port, const struct sockaddr *sa);
/* Checks scheme, user info, host and port of a URL before any look-up; ERR_REFUSED with the
 * reason, as what is said of it: "must begin with …". A host that is an address in any notation
 * inet_aton() takes, or a name below localhost, is judged at once. */
int egress_check_url(const struct config *cfg, const char *url, struct err *err);
/* May credentials be sent there? By https; by plain http only to hosts that the operator has listed
 * and, where that is allowed, to this host itself, since all others on the way can read them. */
bool egress_may_carry_secret(const struct config *cfg, const char *url);
/* "https://crm.example:8443": in lower case, without the scheme's own port. What is no URL is
 * returned as it is. */
const char *egress_origin(struct arena *a, const char *url);

#endif
