"""Addresses: which ones a job's URL may lead to, and connections to those only.

A name is looked up once, what it resolves to is checked, and the connection goes to the
checked address itself: a name that resolves to something else the next time changes nothing.
"""

import http.client
import ipaddress
import socket
import ssl

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CONNECT_SECONDS = 10.0
"""For one of a name's addresses."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")


class Refused(Exception):
    """An address inside a private network."""


def is_public(address: str) -> bool:
    """Tell whether an address is outside private, loopback, link-local and metadata networks."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(part.is_global and not part.is_multicast and not part.is_reserved for part in _parts(ip))


def _parts(ip: Address) -> list[Address]:
    """Return an address and the IPv4 address inside it: both have to be public."""
    if ip.version == 4:
        return [ip]
    if ip.ipv4_mapped:
        return [ip.ipv4_mapped]
    if ip in NAT64:
        return [ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)]
    if ip in LOCAL_NAT64 or ip.teredo or ip.sixtofour:  # tunnels, of which nobody knows where they end
        return [ipaddress.IPv4Address(0)]
    return [ip]


def resolve(host: str, port: int, private: bool) -> list[tuple]:
    """Return what a host resolves to, as far as a connection is allowed."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [entry for entry in found if private or is_public(entry[4][0])]
    if not allowed:
        raise Refused
    return allowed


def dial(host: str, port: int, private: bool, timeout: float) -> socket.socket:
    """Return a connection to the first allowed address that answers."""
    problem = OSError("no address")
    for family, kind, protocol, _, address in resolve(host, port, private):
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(min(timeout, CONNECT_SECONDS))
            sock.connect(address)
            sock.settimeout(timeout)
            return sock
        except OSError as err:
            problem = err
            sock.close()
    raise problem


class Connection(http.client.HTTPConnection):
    """Speaks HTTP with a checked address."""

    def __init__(
        self, host: str, port: int, private: bool, timeout: float, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        self.default_port = 443 if tls else 80  # as it is left out of the Host header
        self._private, self._tls = private, tls
        self.wire: socket.socket | None = None
        """The socket, also once http.client has handed it to the response."""

    def connect(self) -> None:
        """Connect; TLS verifies the certificate for the name, whatever the address."""
        self.wire = self.sock = dial(self.host, self.port, self._private, self.timeout)
        if self._tls:
            self.wire = self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host)


def connection(scheme: str, host: str, port: int | None, private: bool, timeout: float) -> Connection:
    """Return a connection for a URL's parts, not connected yet."""
    tls = ssl.create_default_context() if scheme == "https" else None
    return Connection(host, port or (443 if tls else 80), private, timeout, tls)
