#!/usr/bin/python3
"""Limits, with small values: time, connections, sign-in failures, memory of messages under way."""

import re
import socket
import time

import prelude  # noqa: F401

import messages
import wire
from harness import expect, expect_equal, run_tests, test, wait_until
from instance import Instance

BOB = "bob@example.test"


def make_server():
    server = Instance(settings={
        ("limits", "smtp_timeout"): 10, ("limits", "smtp_duration"): 60, ("limits", "sign_in_timeout"): 10, ("limits", "sign_in_failures"): 5,
        ("limits", "connections"): 30, ("limits", "connections_per_network"): 12, ("limits", "recipients"): 5,
        ("limits", "message_size"): 1 << 20, ("limits", "message_memory"): 3 << 20,
    })
    server.add_account(BOB)
    return server


def seconds_until_closed(connection, most):
    start = time.monotonic()
    connection.socket.settimeout(most)
    rest = connection.until_closed()
    took = time.monotonic() - start
    expect(took < most, "still open after", most, "s")
    return took, rest


@test
def a_silent_smtp_client_is_ended(server):
    with server.smtp_client() as s:
        took, rest = seconds_until_closed(s, 25)
    expect(5 < took, took)
    expect(rest.startswith(b"421 "), rest)
    return f"after {took:.1f} s"


@test
def a_client_silent_inside_data_is_ended(server):
    with server.smtp_client() as s:
        s.envelope("x@client.example", server.address)
        s.command("DATA")
        s.send(b"Subject: never ends\r\n")
        took, _ = seconds_until_closed(s, 25)
    return f"after {took:.1f} s"


@test
def a_client_silent_before_tls_is_ended(server):
    with wire.Wire(server.imaps) as w:
        took, _ = seconds_until_closed(w, 25)
    return f"after {took:.1f} s"


@test
def a_client_without_sign_in_is_ended(server):
    with wire.Imap(server.imaps) as c:
        took, rest = seconds_until_closed(c, 25)
    expect(b"* BYE" in rest, rest)
    return f"after {took:.1f} s"


@test
def a_client_that_drips_is_ended(server):
    """One byte a second must not renew the time for ever."""
    with wire.Imap(server.imaps) as c:
        start, open_still = time.monotonic(), True
        c.socket.settimeout(0.5)
        while open_still and time.monotonic() - start < 40:
            try:
                c.send(b"x")
                c.fill()
            except TimeoutError:
                pass
            except (wire.Ended, OSError):
                open_still = False
        expect(not open_still, "a dripping client was never ended")


@test
def connections_of_one_network_are_limited(server):
    held = []
    try:
        answers = []
        for _ in range(20):
            s = socket.create_connection(("127.0.0.1", server.smtp), 10)
            s.settimeout(10)
            held.append(s)
            try:
                answers.append(s.recv(100)[:3])
            except ConnectionResetError:
                answers.append(b"")
        expect_equal(answers.count(b"220"), 12, f"{answers}")
        expect(set(answers[12:]) <= {b"421", b""}, answers)
        # Another network still comes in, and the other protocol too.
        with wire.Smtp(server.smtp, source=("127.0.0.2", 0)) as other:
            expect_equal(other.greeting[0], 220)
        with server.imap_client() as c:
            c.ok("NOOP")
    finally:
        for s in held:
            s.close()
    wait_until(lambda: _takes_one(server), 10, "a connection after the others left")


def _takes_one(server):
    try:
        with server.smtp_client() as s:
            return s.greeting[0] == 220
    except (OSError, wire.Ended, AssertionError):
        return False


@test
def recipients_are_limited(server):
    with server.smtp_client() as s:
        s.command("MAIL FROM:<x@client.example>")
        codes = [s.command(f"RCPT TO:<alice+{n}@example.test>")[0] for n in range(8)]
        expect_equal(codes, [250] * 5 + [452] * 3)
    with server.smtp_client(hello=None) as s:
        _, text = s.command("EHLO client.example")
        expect(re.search(r"(?m)^LIMITS .*RCPTMAX=5\b", text), text)


@test
def memory_of_messages_under_way_is_limited(server):
    """Some connections are told to come later; none of those that were taken is lost."""
    wait_until(lambda: _takes_one(server), 10, "room for connections")
    clients, body = [], b"y" * 70 + b"\r\n"
    big = messages.short("memory", "") + body * 12_000
    taken = 0
    try:
        for _ in range(8):
            s = server.smtp_client()
            clients.append(s)
            s.envelope("m@client.example", server.address)
            code, _ = s.command("DATA")
            if code == 354:
                s.send(big[: len(big) // 2])
        for s in clients:
            try:
                s.send(big[len(big) // 2 :] + b".\r\n")
                code, text = s.reply()
                expect(code in (250, 452, 451, 421), code, text)
                taken += code == 250
            except wire.Ended:
                pass
    finally:
        for s in clients:
            s.close()
    expect(1 <= taken < 8, "taken:", taken)
    with server.imap_client(select="INBOX") as c:
        expect_equal(len(c.ok("SEARCH SUBJECT memory").one(rb"SEARCH ?(.*)").group(1).split()), taken)
    return f"{taken} of 8 taken"


@test
def wrong_passwords_slow_down(server):
    refused = []
    for n in range(12):  # the same wrong password again and again counts once
        with wire.Imap(server.imaps, source=("127.0.0.3", 0)) as c:
            refused.append(c.command(f'LOGIN {BOB} "wrong{n}"').text)
    expect(refused[0] != refused[-1] and len(set(refused[:4])) == 1, "nothing changes after many failures:", set(refused))
    with wire.Imap(server.imaps, source=("127.0.0.3", 0)) as c:
        expect_equal(c.command(f'LOGIN {BOB} "{server.passwords[BOB]}"').status, "NO", "the right password after too many wrong ones")
    with server.imap_client() as c:  # others are not locked out
        c.ok("NOOP")


if __name__ == "__main__":
    run_tests(make_server)
