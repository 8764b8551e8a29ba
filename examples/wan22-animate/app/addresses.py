"""Addresses: which ones a job's URL may lead to, and connections to those only.

A name is looked up once, its addresses are checked, and the connection goes to the checked
address itself: a name that resolves differently the next time changes nothing.
"""

import http.client
import ipaddress
import math
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

Left = Callable[[], float]
"""Returns the seconds left; 0 ends all waiting."""

CONNECT_SECONDS = 10.0
"""Per address of a name."""
ADDRESSES = 4
"""Addresses of a name to try."""
TICK = 0.1

NAT64 = ipaddress.ip_network("64:ff9b::/96")
LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")

# Not private in every version of ipaddress, but not public either: Oracle's and Azure's metadata,
# anycast to tunnels, and site-local addresses.
INSIDE = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "168.63.129.16/32", "192.88.99.0/24", "fec0::/10")))


class Refused(Exception):
    """An address inside a private network."""


def is_public(address: str) -> bool:
    """Tell whether an address is outside private, loopback, link-local and metadata networks."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(map(_is_public, _parts(ip)))


def _is_public(ip: Address) -> bool:
    inside = any(ip in network for network in INSIDE)
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not inside


def _parts(ip: Address) -> list[Address]:
    """Return the addresses that must be public: the IPv4 address inside, or the address itself."""
    if ip.version == 4:
        return [ip]
    if ip.ipv4_mapped:
        return [ip.ipv4_mapped]
    if ip in NAT64:
        return [ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)]
    if ip in LOCAL_NAT64 or ip.teredo or ip.sixtofour:  # tunnels, which may end anywhere
        return [ipaddress.IPv4Address(0)]
    return [ip]


def resolve(host: str, port: int, private: bool, left: Left = lambda: math.inf) -> list[tuple]:
    """Return some of a host's addresses, those that allow a connection."""
    found = _look_up(host, port, left)
    allowed = [entry for entry in found if private or is_public(entry[4][0])]
    if not allowed:
        raise Refused
    return _some(allowed)


def _look_up(host: str, port: int, left: Left) -> list[tuple]:
    """Ask the system, in a thread that is abandoned in the end: nothing stops getaddrinfo."""
    answers: list[list[tuple] | Exception] = []

    def ask() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as err:  # raised where it is waited for
            answers.append(err)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(min(TICK, _in_time(left)))
    if isinstance(answers[0], Exception):
        raise answers[0]
    return answers[0]


def _some(found: list[tuple]) -> list[tuple]:
    """Return the first few, alternating between families: one of them may lead nowhere here."""
    seen: Counter = Counter()
    ranked = []
    for entry in found:
        ranked.append((seen[entry[0]], entry))
        seen[entry[0]] += 1
    return [entry for _, entry in sorted(ranked, key=lambda pair: pair[0])][:ADDRESSES]


def _in_time(left: Left) -> float:
    if (seconds := left()) <= 0:
        raise TimeoutError
    return seconds


def dial(
    host: str, port: int, private: bool, timeout: float,
    left: Left = lambda: math.inf, made: Callable[[socket.socket], None] = lambda sock: None,
) -> socket.socket:  # fmt: skip
    """Return a connection to the first allowed address that answers; made gets each socket before it connects."""
    problem = OSError("no address")
    for family, kind, protocol, _, address in resolve(host, port, private, left):
        seconds = min(timeout, CONNECT_SECONDS, _in_time(left))
        sock = socket.socket(family, kind, protocol)
        try:
            made(sock)
            sock.settimeout(seconds)
            sock.connect(address)
            sock.settimeout(timeout)
            return sock
        except OSError as err:
            problem = err
            sock.close()
    raise problem


class Connection(http.client.HTTPConnection):
    """An HTTP connection to a checked address."""

    def __init__(
        self, host: str, port: int, private: bool, timeout: float, tls: ssl.SSLContext | None, left: Left
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        self.default_port = 443 if tls else 80  # omitted from the Host header
        self._private, self._tls, self._left = private, tls, left
        self.wire: socket.socket | None = None
        """The socket, also before it connects and after http.client has handed it to the response."""

    def connect(self) -> None:
        """Connect; TLS verifies the certificate for the name, whatever the address."""
        self.sock = dial(self.host, self.port, self._private, self.timeout, self._left, self._hold)
        if self._tls:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self._hold(self.sock)  # the plain one is detached now, and can't be cut
            self.sock.do_handshake()

    def _hold(self, sock: socket.socket) -> None:
        self.wire = sock


def connection(
    scheme: str, host: str, port: int | None, private: bool, timeout: float, left: Left = lambda: math.inf
) -> Connection:
    """Return an unconnected connection for a URL's parts."""
    tls = ssl.create_default_context() if scheme == "https" else None
    return Connection(host, port or (443 if tls else 80), private, timeout, tls, left)
