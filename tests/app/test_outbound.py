"""Requests to addresses that people have entered reach the public internet, within limits, or nothing."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.outbound import Answer, NoAnswerError, Outbound, RefusedAddressError, is_public

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.7", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd12:3456::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "2002:7f00:1::1", "2002:a00:1::", "::127.0.0.1", "2001:db8::1", "2001:0:7f00:1::", "no address",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_private_address_is_public_however_it_is_written(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.sampled_from(["::ffff:{}", "64:ff9b::{}", "::{}", "{}"]))
def test_a_private_address_stays_private_inside_another_one(address: object, form: str) -> None:
    assert not is_public(form.format(address))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example/x", "https"),
        ("ftp://hooks.example/x", "https"),
        ("file:///etc/passwd", "no address of a service"),
        ("https://", "no address of a service"),
        ("https://user:pw@hooks.example/", "passwords"),
        ("https://hooks.example/#x", "no address of a service"),
        ("https://hooks.example/" + "x" * 2_000, "no address of a service"),
        ("https://exa mple/\x00", "no address"),
        ("https://hooks.example/x", "169.254.169.254"),
        ("https://2130706433/", "127.0.0.1"),
        ("https://[::1]/", "::1"),
    ],
)
def test_an_address_that_is_not_for_us_is_refused_before_anything_is_sent(url: str, why: str) -> None:
    known = {"hooks.example": "169.254.169.254", "2130706433": "127.0.0.1", "::1": "::1"}
    outbound = Outbound(resolve=lambda host, _: [known[host]])
    with pytest.raises(RefusedAddressError, match=why):
        outbound.check(url)
    with pytest.raises(RefusedAddressError, match=why):
        outbound.send("POST", url)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example:8080/in/hush?key=hush",
        "https://me:hush@hooks.example:8080/hush",
        "https://hooks.example:8080/?key=hush#hush",
        "https://hooks.example:8080/hush" + "x" * 2_000,
        "https://hooks.example:8080/hush?key=hush",
        "https://hush@hooks.example:hush/hush",
        "https:///hush?key=hush",
        "https://hooks.example:8080/hush\x00",
        "hush",
    ],
)
def test_of_an_address_that_is_refused_only_host_and_port_are_told(url: str) -> None:
    with pytest.raises(RefusedAddressError) as refused:
        Outbound(resolve=lambda *_: ["10.0.0.7"]).send("POST", url)
    told = "".join(traceback.format_exception_only(refused.value))
    assert "hush" not in told + str(refused.value.__cause__) + repr(refused.value.detail)
    assert "'hooks.example" in told or "an address without a host" in told


def test_one_private_address_among_public_ones_refuses_the_host() -> None:
    with pytest.raises(RefusedAddressError, match=r"10\.0\.0\.7"):
        Outbound(resolve=lambda *_: ["8.8.8.8", "10.0.0.7"]).check("https://hooks.example/")


def test_a_name_that_changes_its_mind_after_the_check_is_checked_again_where_it_is_used() -> None:
    said = iter([["8.8.8.8"], ["127.0.0.1"]])
    outbound = Outbound(resolve=lambda *_: next(said))
    outbound.check("https://hooks.example/")
    with pytest.raises(RefusedAddressError, match=r"127\.0\.0\.1"):
        outbound.send("POST", "https://hooks.example/")


def test_the_name_is_resolved_once_and_the_connection_goes_to_what_was_checked() -> None:
    asked: list[str] = []

    def resolve(host: str, _: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") as (port, seen):
        answer = Outbound(private_hosts=["erp.internal"], resolve=resolve).send(
            "POST", f"http://erp.internal:{port}/x?y=1", headers={"x-key": "k"}, content=b"{}"
        )
    assert answer == Answer(200, {"content-length": "2"}, b"ok")
    assert asked == ["erp.internal"]
    assert seen[0].startswith(b"POST /x?y=1 HTTP/1.1\r\n")
    assert f"Host: erp.internal:{port}".encode() in seen[0]
    assert seen[0].endswith(b"\r\n\r\n{}")


def test_a_name_without_an_address_and_a_closed_port_have_sent_nothing() -> None:
    def nowhere(*_: object) -> list[str]:
        raise socket.gaierror("no such name")

    with pytest.raises(NoAnswerError, match="not known") as unknown:
        Outbound(resolve=nowhere).send("GET", "https://hooks.example/")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NoAnswerError) as closed:
        home().send("GET", f"http://127.0.0.1:{port}/")
    assert (unknown.value.sent, closed.value.sent) == (False, False)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    away = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    with answering(away) as (port, seen):
        answer = home().send("GET", f"http://127.0.0.1:{port}/")
    assert (answer.status, answer.headers["location"], len(seen)) == (302, "http://127.0.0.1:1/", 1)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000, "more than 1,000 bytes"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"5dc\r\n" + b"x" * 1500 + b"\r\n", "more than 1,000"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\nx", "compressed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", "closed"),
        (b"not http at all\r\n\r\n", "usable"),
        (b"", "usable"),
    ],
)  # fmt: skip
def test_what_is_no_usable_answer_may_have_had_its_effect(said: bytes, why: str) -> None:
    with answering(said) as (port, _), pytest.raises(NoAnswerError, match=why) as caught:
        home().send("POST", f"http://127.0.0.1:{port}/", content=b"{}")
    assert caught.value.sent


def test_a_server_that_drips_is_left_when_the_time_is_over() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(50):
            connection.sendall(f"x-{number}: slow\r\n".encode())
            time.sleep(0.05)

    begun = time.monotonic()
    with answering(drip) as (port, _), pytest.raises(NoAnswerError) as caught:
        Outbound(private_hosts=["127.0.0.1"], seconds_max=0.3).send("GET", f"http://127.0.0.1:{port}/")
    assert time.monotonic() - begun < 1.5
    assert caught.value.sent


def home() -> Outbound:
    """A client that may speak to this machine."""
    return Outbound(private_hosts=["127.0.0.1"], seconds_max=5, bytes_max=1_000)


@contextmanager
def answering(answer: bytes | Callable[[socket.socket], None]) -> Iterator[tuple[int, list[bytes]]]:
    """A server that says one thing to one caller; its port, and what it heard."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(2)
                request = connection.recv(65_536)
                if b"content-length: 2" in request.lower() and not request.endswith(b"{}"):
                    request += connection.recv(65_536)
                heard.append(request)
                try:
                    answer(connection) if callable(answer) else connection.sendall(answer)
                except OSError:  # the caller has gone, which is what some tests are about
                    heard.append(b"")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            thread.join(timeout=5)
