"""Requests to addresses that people have entered: a webhook's, an ERP's. They cannot be turned against our own network.

Only https, only to addresses of the public internet, no redirects, no proxies, and
within limits of time and size. The name is resolved once, every address it stands for
is checked, and the connection goes to an address that was checked: a name that
resolves otherwise a moment later changes nothing. Hosts that the operator has listed
may also be private and may be spoken to in plain http.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpcore  # what httpx is built on: it lets us choose the address that is connected to
import httpx

from app.errors import InvalidError, UnavailableError

SECONDS_MAX = 10.0
ANSWER_BYTES_MAX = 1024 * 1024
URL_CHARACTERS_MAX = 2_000
_HOST_CHARACTERS_MAX = 260
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Resolve = Callable[[str, int], Iterable[str]]
"""The addresses that a name stands for. Raises OSError where there are none."""


class RefusedAddressError(InvalidError):
    """The address is none that we would send anything to. Nothing was sent.

    Host and port are told and nothing else of it: names, paths and queries hold keys.
    """

    def __init__(self, host: str, why: str) -> None:
        place = repr(host[:_HOST_CHARACTERS_MAX]) if host else "an address without a host"
        super().__init__(
            "address_refused", f"nothing is sent to {place}: {why}",
            "give an https address of the public internet, or list its host in EVENKEEL_OUTBOUND_PRIVATE_HOSTS",
        )  # fmt: skip


class NoAnswerError(UnavailableError):
    """No usable answer came. Where `sent` is true the request may have arrived and had its effect."""

    def __init__(self, host: str, why: str, *, sent: bool) -> None:
        super().__init__("no_answer", f"{host} gave no usable answer: {why}", "look at the other side, and try again")
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case; a redirect is an answer like any other."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outbound:
    """Sends requests. It keeps no connection and no state between them."""

    def __init__(
        self,
        *,
        private_hosts: Iterable[str] = (),
        seconds_max: float = SECONDS_MAX,
        bytes_max: int = ANSWER_BYTES_MAX,
        resolve: Resolve | None = None,
    ) -> None:
        self._private = frozenset(host.lower() for host in private_hosts)
        self._seconds_max = seconds_max
        self._bytes_max = bytes_max
        self._resolve = resolve or _addresses

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made when something is sent for the first time: reading the machine's authorities takes a while."""
        return ssl.create_default_context()

    def check(self, url: str) -> None:
        """Raise RefusedAddressError for an address that nothing would be sent to now. It is checked again when sending."""
        parsed = self._parsed(url)
        self._admitted(parsed.host, parsed.port or 443)

    def send(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, content: bytes = b"") -> Answer:
        """One request, one answer of any status. Raises RefusedAddressError and NoAnswerError."""
        parsed, tls = self._parsed(url), self._tls
        ends = time.monotonic() + self._seconds_max
        named: dict[str | bytes, str | bytes] = {"accept-encoding": "identity", "connection": "close"}
        named.update(headers or {})
        try:
            with (
                httpcore.ConnectionPool(ssl_context=tls, network_backend=_Pinned(self._admitted, ends)) as pool,
                pool.stream(method, str(parsed), headers=named, content=content) as response,
            ):
                return self._read(parsed.host, response, packed=named["accept-encoding"] == "gzip")
        except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.UnsupportedProtocol) as failed:
            raise NoAnswerError(parsed.host, _why(failed), sent=False) from failed
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as failed:
            raise NoAnswerError(parsed.host, _why(failed), sent=True) from failed

    def _read(self, host: str, response: httpcore.Response, *, packed: bool) -> Answer:
        """The answer, unpacked where that was asked for. What unpacks to more than the limit is never unpacked whole."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        encoding = headers.get("content-encoding", "identity")
        if encoding != "identity" and not (packed and encoding == "gzip"):
            raise NoAnswerError(host, "the answer is compressed, which was not asked for", sent=True)
        unpacking = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
        body = bytearray()
        for part in response.iter_stream():
            try:
                body += unpacking.decompress(part, self._bytes_max + 1 - len(body)) if unpacking else part
            except zlib.error as broken:
                raise NoAnswerError(host, "the answer is not what it says it is", sent=True) from broken
            if len(body) > self._bytes_max:
                raise NoAnswerError(host, f"the answer has more than {self._bytes_max:,} bytes", sent=True)
        return Answer(response.status, headers, bytes(body))

    def _parsed(self, url: str) -> httpx.URL:
        """The address, if it has a form that we use."""
        try:
            parsed = httpx.URL(url)
        except httpx.InvalidURL:
            # What httpx says of it repeats a part of it, and a log may show causes.
            raise RefusedAddressError("", "it is no address") from None
        shown = parsed.netloc.decode("ascii")
        if len(url) > URL_CHARACTERS_MAX or not parsed.host or parsed.fragment:
            raise RefusedAddressError(shown, "it is no address of a service")
        if parsed.userinfo:
            raise RefusedAddressError(shown, "names and passwords do not belong into an address")
        if parsed.scheme != "https" and not (parsed.scheme == "http" and parsed.host.lower() in self._private):
            raise RefusedAddressError(shown, "it does not begin with https://")
        return parsed

    def _admitted(self, host: str, port: int) -> list[str]:
        """The addresses of a host, each one checked. Raises RefusedAddressError for one that is not for us."""
        try:
            addresses = list(dict.fromkeys(self._resolve(host, port)))
        except (OSError, UnicodeError) as failed:
            raise NoAnswerError(host, "its name is not known", sent=False) from failed
        if host.lower() not in self._private:
            for address in addresses:
                if not is_public(address):
                    raise RefusedAddressError(host, f"it stands for {address}, which is not on the public internet")
        if not addresses:
            raise NoAnswerError(host, "its name stands for no address", sent=False)
        return addresses


def is_public(address: str) -> bool:
    """Whether an address is on the public internet. Those that carry another one in them are as good as that one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        low = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        mapped = low if parsed in _NAT64 else parsed.ipv4_mapped
        if mapped is not None:
            return is_public(str(mapped))
        carried = [parsed.sixtofour, *(parsed.teredo or ()), low if int(parsed) >> 32 == 0 else None]
        if not all(is_public(str(each)) for each in carried if each is not None):
            return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved or parsed.is_unspecified)


def _addresses(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _why(failed: Exception) -> str:
    return str(failed)[:200] or type(failed).__name__


class _Pinned(httpcore.NetworkBackend):
    """Connects to an address of the host that was checked in the same breath."""

    def __init__(self, admitted: Callable[[str, int], list[str]], ends: float) -> None:
        self._admitted = admitted
        self._ends = ends
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  the deadline is of the whole request
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """The connection. Raises httpcore.ConnectError where no address answers."""
        failed: Exception = httpcore.ConnectError("nobody answers")
        for address in self._admitted(host, port):
            try:
                left = _left(self._ends, httpcore.ConnectTimeout)
                stream = self._plain.connect_tcp(address, port, left, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as refused:
                failed = refused
            else:
                return _Timed(stream, self._ends)
        raise failed


class _Timed(httpcore.NetworkStream):
    """A connection that ends at a moment, however slowly the other side drips."""

    def __init__(self, stream: httpcore.NetworkStream, ends: float) -> None:
        self._stream = stream
        self._ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  the deadline is of the whole request
        """Bytes that have come."""
        return self._stream.read(max_bytes, _left(self._ends, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  the deadline is of the whole request
        """Send bytes."""
        self._stream.write(buffer, _left(self._ends, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  the deadline is of the whole request
    ) -> httpcore.NetworkStream:
        """The connection under TLS, with a certificate for the host's name."""
        left = _left(self._ends, httpcore.ConnectTimeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, left), self._ends)

    def get_extra_info(self, info: str) -> Any:
        """What the connection below says."""
        return self._stream.get_extra_info(info)


def _left(ends: float, late: type[httpcore.TimeoutException]) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise late("it took too long")
    return left
