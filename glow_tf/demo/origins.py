"""Refusal of requests that another web site sends to the page's server.

A page from anywhere can make a browser send requests to an address of this machine. It cannot choose their `Origin`,
and their `Host` only by a name of its own (DNS rebinding), so requests with a foreign one are refused.
"""

import dataclasses
import ipaddress
import re
import socket

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from glow_tf.demo.error_responses import error_response

AUTHORITY = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[^\[\]@:/?#\s]+))(?::\d{1,5})?")
"""A host name or an address, and a port, as in `Host`."""


@dataclasses.dataclass(frozen=True)
class HostRule:
    """The hosts by which a server may be addressed; the addresses of the loopback interface always belong to them.

    Args:
        names: lower-case host names and addresses.
        any_address: allow every IP address. An address, unlike a name, cannot be pointed at another machine.

    Example:
        >>> rule = HostRule()
        >>> rule.allows("localhost:8000"), rule.allows("example.org")
        (True, False)
    """

    names: frozenset[str] = frozenset({"localhost"})
    any_address: bool = False

    def allows(self, authority: str) -> bool:
        """Return whether `authority`, a host with or without a port, is one of the hosts."""
        match = AUTHORITY.fullmatch(authority.lower())
        if match is None:
            return False
        host = match["ipv6"] or match["name"]
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host in self.names
        return address.is_loopback or self.any_address or str(address) in self.names


def host_rule(host: str, address: str) -> HostRule:
    """Return the `HostRule` of a server.

    Args:
        host: host name or address to listen at, as the user gave it.
        address: the IP address that it was resolved to; an unspecified one, such as 0.0.0.0, stands for all of this
            machine, which is then also called by its own name, with and without its domain.
    """
    bound = _ip_address(address)
    names = {"localhost", host.lower(), str(bound)}
    if bound.is_unspecified:
        name = socket.gethostname().lower()
        names |= {name, f"{name}.local", socket.getfqdn().lower()}
    return HostRule(frozenset(names), any_address=bound.is_unspecified)


def is_loopback(address: str) -> bool:
    """Return whether only this machine reaches a server at an IP address."""
    return _ip_address(address).is_loopback


class OriginGuard:
    """ASGI middleware that refuses requests which name another host, or which another site's page sends.

    The port of `Host` may be any, because ports are forwarded (`ssh -L`).

    Args:
        app: ASGI application.
        hosts: the hosts by which requests may address it.
    """

    def __init__(self, app: ASGIApp, hosts: HostRule) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let the application answer it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self.app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the response that refuses a request, or None."""
        headers = Headers(scope=scope)
        if not self.hosts.allows(headers.get("host", "")):
            return error_response(400, "This is not a host of this page; open the address that its command printed.")
        is_link = (scope["method"], scope["path"]) == ("GET", "/")
        if not is_link and _is_cross_site(headers):
            return error_response(403, "Requests of other web sites are refused; open this page itself.")
        return None


def _is_cross_site(headers: Headers) -> bool:
    """Return whether a browser says that another site's page sends a request; other programs say nothing.

    `Sec-Fetch-Site` comes with every request, pictures and scripts included, but only from newer browsers and not over
    plain HTTP from another machine; `Origin` comes from all of them, with what is not a mere GET.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and origin.lower().partition("://")[2] != headers["host"].lower()


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return an IP address without its zone, the name of a network interface that may follow it."""
    return ipaddress.ip_address(text.partition("%")[0])
