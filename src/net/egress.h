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
 * reason. A host that is an address in any notation inet_aton() takes, or a name below
 * localhost, is judged at once. */
int egress_check_url(const struct config *cfg, const char *url, struct err *err);

#endif
