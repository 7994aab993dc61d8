#!/usr/bin/python3
"""Thunderbird (Debian's ESR) under Xvfb keeps an account in step: only with --full, for it is a quarter of a gigabyte.

Wants the packages thunderbird, xvfb, libnss3-tools and imagemagick; what is missing skips the test. What it said to the
server and heard goes through a recorder; a screenshot is left beside the logs in build/check.
"""

import base64
import ctypes
import json
import os
import re
import signal
import subprocess
import time

import prelude  # noqa: F401

import messages
from harness import Skip, expect, expect_equal, full, run_tests, test, wait_until
from instance import ROOT, Instance
from life import Life, fill
from programs import modified_utf7, need, run
from recorder import Recorder

ALICE, CAROL = Instance.address, "carol@example.test"
FOLDERS = ["INBOX", "Work", "Lists/friends", "日本語"]
N_MESSAGES = 500
START_SECONDS = 240
NEW_MAIL_SECONDS = 60
LIFE_SECONDS = 60
SCREENSHOT = ROOT / "build/check/thunderbird.png"

PREFS = """
user_pref("mail.accountmanager.accounts", "account1,account2");
user_pref("mail.accountmanager.defaultaccount", "account1");
user_pref("mail.accountmanager.localfoldersserver", "server2");
user_pref("mail.account.account1.identities", "id1");
user_pref("mail.account.account1.server", "server1");
user_pref("mail.account.account2.server", "server2");
user_pref("mail.identity.id1.fullName", "Alice");
user_pref("mail.identity.id1.useremail", "{address}");
user_pref("mail.identity.id1.valid", true);
user_pref("mail.server.server1.type", "imap");
user_pref("mail.server.server1.name", "{address}");
user_pref("mail.server.server1.hostname", "localhost");
user_pref("mail.server.server1.port", {port});
user_pref("mail.server.server1.socketType", 3);
user_pref("mail.server.server1.authMethod", 3);
user_pref("mail.server.server1.userName", "{address}");
user_pref("mail.server.server1.check_new_mail", true);
user_pref("mail.server.server1.check_time", 1);
user_pref("mail.server.server1.login_at_startup", true);
user_pref("mail.server.server1.use_idle", true);
user_pref("mail.server.server1.use_condstore", {condstore});
user_pref("mail.server.server1.offline_download", true);
user_pref("mail.server.server1.autosync_offline_stores", true);
user_pref("mail.server.server1.check_all_folders_for_new", true);
user_pref("mail.server.server2.type", "none");
user_pref("mail.server.server2.hostname", "Local Folders");
user_pref("mail.server.server2.userName", "nobody");
user_pref("mail.server.server2.name", "Local Folders");
user_pref("mail.server.default.autosync_offline_stores", true);
user_pref("mail.provider.suppress_dialog_on_startup", true);
user_pref("mail.spotlight.firstRunDone", true);
user_pref("mail.shell.checkDefaultClient", false);
user_pref("mail.winsearch.firstRunDone", true);
user_pref("mail.rights.version", 1);
user_pref("mailnews.start_page.enabled", false);
user_pref("mailnews.start_page_override.mstone", "ignore");
user_pref("mail.startup.enabledMailCheckOnce", true);
user_pref("mail.minimizeToTray", false);
user_pref("app.donation.eoy.version.viewed", 999);
user_pref("app.update.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
user_pref("toolkit.telemetry.enabled", false);
user_pref("mailnews.database.global.indexer.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.manage-offline-status", false);
user_pref("offline.startup_state", 0);
user_pref("offline.autoDetect", false);
user_pref("security.OCSP.enabled", 0);
user_pref("signon.rememberSignons", true);
user_pref("mail.autosync.max_threads_per_server", 2);
"""


class Item(ctypes.Structure):
    """NSS's SECItem."""

    _fields_ = [("type", ctypes.c_uint), ("data", ctypes.c_char_p), ("len", ctypes.c_uint)]


def remember_password(profile, user, password):
    """Writes the sign-in into the profile's password store, enciphered as NSS does it with the profile's own key."""
    nss = ctypes.CDLL("libnss3.so")
    nss.PK11_GetInternalKeySlot.restype = ctypes.c_void_p
    nss.PK11_CheckUserPassword.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    nss.PK11SDR_Encrypt.argtypes = [ctypes.POINTER(Item)] * 3 + [ctypes.c_void_p]
    expect_equal(nss.NSS_InitReadWrite(f"sql:{profile}".encode()), 0, "NSS_InitReadWrite")
    slot = nss.PK11_GetInternalKeySlot()
    expect_equal(nss.PK11_CheckUserPassword(slot, b""), 0, "the empty password of the key store")

    def enciphered(text):
        raw = text.encode()
        out = Item(0, None, 0)
        done = nss.PK11SDR_Encrypt(ctypes.byref(Item(0, None, 0)), ctypes.byref(Item(0, raw, len(raw))), ctypes.byref(out), None)
        expect_equal(done, 0, "PK11SDR_Encrypt")
        return base64.b64encode(ctypes.string_at(ctypes.cast(ctypes.byref(out, Item.data.offset), ctypes.POINTER(ctypes.c_void_p))[0], out.len)).decode()

    now = int(time.time() * 1000)
    login = {"id": 1, "hostname": "imap://localhost", "httpRealm": "imap://localhost", "formSubmitURL": None, "usernameField": "", "passwordField": "",
             "encryptedUsername": enciphered(user), "encryptedPassword": enciphered(password), "guid": "{8a2c1a52-0d4f-4b7e-9f0a-2d0d3c5b7e11}",
             "encType": 1, "timeCreated": now, "timeLastUsed": now, "timePasswordChanged": now, "timesUsed": 1}
    (profile / "logins.json").write_text(json.dumps({"nextId": 2, "logins": [login], "potentiallyVulnerablePasswords": [],
                                                     "dismissedBreachAlertsByLoginGUID": {}, "version": 3}))
    nss.NSS_Shutdown()


class Thunderbird:
    def __init__(self, server, recorder, address, condstore):
        self.address, self.condstore = address, condstore
        self.folder = server.folder / f"thunderbird-{address}"
        self.profile = self.folder / "profile"
        self.profile.mkdir(parents=True)
        self.server, self.process = server, None
        (self.profile / "user.js").write_text(PREFS.format(address=address, port=recorder.port, condstore=str(condstore).lower()))
        database = f"sql:{self.profile}"
        run("certutil", "-N", "-d", database, "--empty-password")
        run("certutil", "-A", "-d", database, "-n", "gatepost-test", "-t", "C,,", "-i", recorder.authority)
        remember_password(self.profile, address, server.passwords[address])
        self.display = f":{90 + os.getpid() % 900}"
        self.screen = subprocess.Popen(["Xvfb", self.display, "-screen", "0", "1280x900x24", "-nolisten", "tcp"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)

    def start(self):
        environment = dict(os.environ, HOME=str(self.folder), DISPLAY=self.display, MOZ_LOG="IMAP:3", LC_ALL="C.UTF-8",
                           MOZ_LOG_FILE=str(self.folder / "moz.log"), MOZ_DISABLE_CONTENT_SANDBOX="1", NO_AT_BRIDGE="1")
        with open(self.folder / "output", "ab") as out:
            self.process = subprocess.Popen(["thunderbird", "--no-remote", "--profile", str(self.profile)], stdin=subprocess.DEVNULL,
                                            stdout=out, stderr=out, env=environment, cwd=self.folder, start_new_session=True)

    def stop(self):
        """SIGTERM to all of it; what it had to write it has written."""
        if self.process is None or self.process.poll() is not None:
            return
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def close(self):
        self.stop()
        self.screen.terminate()
        self.screen.wait(10)

    def photograph(self):
        SCREENSHOT.parent.mkdir(parents=True, exist_ok=True)
        run("import", "-display", self.display, "-window", "root", SCREENSHOT)

    # --- what it has ----------------------------------------------------------------------------------------------

    def store(self, name):
        """The mbox in which it keeps a folder for use offline."""
        base = self.profile / "ImapMail/localhost"
        parts = name.split("/")
        return base.joinpath(*[f"{p}.sbd" for p in parts[:-1]], parts[-1])

    def ids(self, name):
        """The Message-IDs of the messages that lie in a folder's offline store."""
        path = self.store(name)
        data = path.read_bytes() if path.exists() else b""
        return set(re.findall(rb"(?m)^Message-ID: <(\d+\.\d+\.0\.[0-9a-f]+@generator\.example)>", data))


def ids_on_server(server, address, name):
    with server.imap_client(address) as c:
        c.ok(f'EXAMINE "{modified_utf7(name)}"')
        reply = c.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]") if c.ok("SEARCH ALL").one(rb"SEARCH ?(.*)").group(1) else None
        return {m.group(1) for m in reply.all(rb"Message-ID: <([^>]+)>")} if reply else set()


def missing(server, thunderbird, folders=FOLDERS):
    """{folder: how many messages of the server it has not fetched}"""
    return {n: len(left) for n in folders if (left := ids_on_server(server, thunderbird.address, n) - thunderbird.ids(n))}


def wait_in_step(server, thunderbird, seconds):
    deadline = time.monotonic() + seconds
    while left := missing(server, thunderbird):
        expect(time.monotonic() < deadline, f"after {seconds} s Thunderbird still lacks", left)
        time.sleep(1)


def whole_test(server, address, condstore):
    if not full:
        raise Skip("Thunderbird runs only with --full")
    for program in ("thunderbird", "Xvfb", "certutil", "import"):
        need(program)
    fill(server, address, FOLDERS, N_MESSAGES)
    with Recorder(server) as recorder:
        thunderbird = Thunderbird(server, recorder, address, condstore)
        try:
            return long_session(server, recorder, thunderbird)
        except BaseException:
            thunderbird.photograph()
            print(recorder.words(), recorder.refusals())
            raise
        finally:
            thunderbird.close()


@test(seconds=900)
def fetches_stays_in_step_and_comes_back(server=None):
    return whole_test(server, ALICE, False)


@test(seconds=900)
def the_same_with_condstore(server=None):
    if server is not None:
        server.add_account(CAROL)
    return whole_test(server, CAROL, True)


def long_session(server, recorder, thunderbird):
    address, started = thunderbird.address, time.monotonic()
    thunderbird.start()
    wait_in_step(server, thunderbird, START_SECONDS)
    first = time.monotonic() - started
    wait_until(lambda: recorder.said(rb"^IDLE$"), NEW_MAIL_SECONDS, "IDLE")
    thunderbird.photograph()
    # New mail is seen at once, by IDLE: the next look of its own would come after a minute.
    time.sleep(2)
    letter = messages.message(20_000, 11)
    sent = time.monotonic()
    server.deliver(letter, address, parameters=" BODY=8BITMIME")
    wanted = re.search(rb"Message-ID: <([^>]+)>", letter).group(1)
    wait_until(lambda: wanted in thunderbird.ids("INBOX"), NEW_MAIL_SECONDS, "new mail in Thunderbird")
    noticed = time.monotonic() - sent
    with Life(server, address, FOLDERS) as life:
        time.sleep(LIFE_SECONDS)
    server.deliver(messages.message(20_001, 11), address, parameters=" BODY=8BITMIME")
    # It goes away, the account goes on, it comes back.
    thunderbird.stop()
    before = recorder.mark()
    for n in range(20):
        server.deliver(messages.message(21_000 + n, 11), address, parameters=" BODY=8BITMIME")
    with server.imap_client(address, select="INBOX") as c:
        c.ok("STORE 1:40 +FLAGS (\\Seen \\Flagged)")
        c.ok("STORE 41:60 +FLAGS (\\Deleted)")
        c.ok("EXPUNGE")
    thunderbird.start()
    wait_in_step(server, thunderbird, START_SECONDS)
    wait_until(lambda: recorder.said(rb"^UID FETCH \d+(:\*|:\d+) \((UID )?FLAGS", before), NEW_MAIL_SECONDS, "asking for flags after the second start")
    wait_until(lambda: recorder.said(rb"^IDLE$", before), NEW_MAIL_SECONDS, "IDLE after the second start")
    time.sleep(3)
    thunderbird.photograph()
    thunderbird.stop()
    bad = [r for r in recorder.refusals() if not re.match(r"\* BYE", r[1])]
    expect_equal(bad, [], "what Thunderbird was refused")
    if thunderbird.condstore:
        expect(recorder.said(rb"CHANGEDSINCE \d+", before), "no CHANGEDSINCE", recorder.commands(before))
    return f"all fetched in {first:.0f} s, new mail after {noticed:.1f} s, {life.done}, {recorder.words()}"


if __name__ == "__main__":
    run_tests(Instance if full else None)
