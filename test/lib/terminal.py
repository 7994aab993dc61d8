"""A program on a screen of its own: keys go in, what stands on the screen comes back."""

import shlex

from harness import wait_until
from programs import run


class Terminal:
    """`command` under tmux, 120 by 40, until closed; `questions`: {words on the screen: keys that answer them}."""

    def __init__(self, folder, command, questions=None):
        self.tmux = ["tmux", "-S", folder / "tmux"]
        self.questions = questions or {}
        run(*self.tmux, "-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40",
            f"HOME={shlex.quote(str(folder))} TERM=screen {shlex.join(map(str, command))}", home=folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run(*self.tmux, "kill-server", check=False)

    def keys(self, *keys):
        run(*self.tmux, "send-keys", *keys)

    def text(self, words):
        run(*self.tmux, "send-keys", "-l", words)

    def screen(self):
        """What is seen; empty once the program has ended."""
        return run(*self.tmux, "capture-pane", "-p", check=False).stdout.decode(errors="replace")

    def running(self):
        return run(*self.tmux, "has-session", check=False).returncode == 0

    def until(self, words, what=None, seconds=20):
        """Waits until `words` (or, if callable, words(screen)) is there."""

        def there():
            screen = self.screen()
            for question, answer in self.questions.items():
                if question in screen:
                    self.keys(answer)
            return words(screen) if callable(words) else words in screen

        try:
            wait_until(there, seconds, what or words)
        except AssertionError as e:
            raise AssertionError(f"{e}; the screen:\n{self.screen()}") from None

    def until_ended(self, seconds=20):
        wait_until(lambda: not self.running(), seconds, "the end of the program")
