#!/usr/bin/python3
"""Mail that goes out, from submission to another server and back: a server beside ours plays the rest of the world."""

import re
import smtplib
import ssl
import time

import prelude  # noqa: F401

from harness import expect, expect_equal, run_tests, test, wait_until
from instance import Instance
from world import World

BOB = "bob@example.test"


def make_server(world, **limits):
    settings = {("outbound", "port"): world.port, ("outbound", "allow_private"): 1}
    settings.update(limits)
    server = Instance(settings=settings)
    server.add_account(BOB)
    return server


def submit(server, recipients, subject, body="hello\r\n", sender=None, options=(), rcpt_options=()):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL("127.0.0.1", server.submissions, context=context, timeout=60) as s:
        s.login(server.address, server.password)
        text = f"From: {sender or server.address}\r\nTo: somebody\r\nSubject: {subject}\r\n\r\n{body}"
        return s.sendmail(sender or server.address, recipients, text.encode(), options, rcpt_options)


def waiting(server):
    return server.json("queue", "list")


def in_inbox(server, subject, address=None):
    with server.imap_client(address, select="INBOX") as c:
        return c.ok(f'SEARCH SUBJECT "{subject}"').one(rb"^\* SEARCH ?(.*)").group(1).split()


@test
def a_message_leaves():
    world = World()
    with make_server(world) as server:
        submit(server, [world.address("carol")], "leaving")
        wait_until(lambda: world.of("carol"), 30, "the message")
        sender, _, data = world.of("carol")[0]
        expect_equal(sender, server.address)
        expect(b"\r\nSubject: leaving\r\n" in data and b"\r\nDate: " in data and b"\r\nMessage-ID: " in data, data)
        expect_equal(data.count(b"DKIM-Signature: "), 2)
        wait_until(lambda: waiting(server) == [], 10, "an empty queue")
        server.finish()
    world.close()


@test
def local_and_remote_at_once():
    world = World()
    with make_server(world) as server:
        submit(server, [BOB, server.address, world.address("carol")], "to all")
        wait_until(lambda: world.of("carol"), 30, "the message outside")
        wait_until(lambda: in_inbox(server, "to all", BOB) and in_inbox(server, "to all"), 30, "the messages here")
        wait_until(lambda: waiting(server) == [], 10, "an empty queue")
        server.finish()
    world.close()


@test
def a_failure_comes_back():
    world = World()
    with make_server(world) as server:
        world.says[world.address("nobody")] = "550 5.1.1 no such user"
        submit(server, [world.address("nobody")], "to nobody")
        wait_until(lambda: in_inbox(server, ""), 30, "the notice")
        expect_equal(waiting(server), [])
        server.finish()
    world.close()


@test
def what_is_refused_for_now_waits_and_can_be_retried():
    world = World()
    with make_server(world) as server:
        world.says[world.address("later")] = "451 4.7.1 come again"
        submit(server, [world.address("later")], "later")
        wait_until(lambda: world.tried, 30, "the first try")
        wait_until(lambda: "tried once" in str(waiting(server)), 10, "what is known of it")
        row = waiting(server)[0]
        expect("451" in row["reason"] and "next try in" in row["reason"], row)
        del world.says[world.address("later")]
        server.gatepost("queue", "retry", row["message"])
        wait_until(lambda: world.of("later"), 30, "the message")
        wait_until(lambda: waiting(server) == [], 10, "an empty queue")
        server.finish()
    world.close()


@test
def what_waits_outlives_a_kill():
    world = World()
    with make_server(world) as server:
        world.says[world.address("later")] = "451 4.7.1 come again"
        for n in range(5):
            submit(server, [world.address("later")], f"number {n}")
        server.kill()
        del world.says[world.address("later")]
        server.start()
        server.gatepost("queue", "retry", "--all")
        wait_until(lambda: len(world.of("later")) >= 5, 30, "the messages")
        subjects = sorted(re.search(rb"Subject: (number \d)", t[2]).group(1) for t in world.of("later"))
        expect_equal(subjects, [b"number %d" % n for n in range(5)])
        server.finish()
    world.close()


@test
def a_held_message_goes_later_or_never():
    world = World()
    with make_server(world) as server:
        submit(server, [world.address("carol")], "scheduled", options=["HOLDFOR=3600"])
        row = waiting(server)[0]
        expect_equal(row["state"], "scheduled")
        server.gatepost("queue", "release", row["message"])
        wait_until(lambda: world.of("carol"), 30, "the message")
        submit(server, [world.address("dave")], "never", options=["HOLDFOR=3600"])
        server.gatepost("queue", "remove", waiting(server)[0]["message"])
        expect_equal(waiting(server), [])
        time.sleep(1)
        expect_equal(world.of("dave"), [])
        server.finish()
    world.close()


@test
def only_as_oneself():
    world = World()
    with make_server(world) as server:
        try:
            submit(server, [world.address("carol")], "forged", sender=BOB)
        except smtplib.SMTPResponseException as e:
            expect_equal(e.smtp_code, 550)
        else:
            expect(False, "a message in another's name was taken")
        expect_equal(waiting(server), [])
        server.finish()
    world.close()


if __name__ == "__main__":
    run_tests()
