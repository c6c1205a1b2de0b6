#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Promise: the client explains itself: help on every way that asks for it, pages that man(1) shows,
completion in the shells themselves; and settings reach every command that talks to Kafka.
Proof: the program is called as a person, a shell and a build would; no server is needed."""
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

BIN = pathlib.Path(os.environ["SANDFLEET_BIN"])
SCRIPTS = pathlib.Path(__file__).resolve().parents[3] / "producer" / "completion"


class Client(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("SANDFLEET", "PG", "XDG"))}
        self.env |= {"HOME": str(self.folder), "PATH": f"{BIN}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"}

    def call(self, *words, status=0, **env):
        done = subprocess.run([BIN / "sandfleet", *words], env=self.env | env, text=True, timeout=30,
                              stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        return done

    def configure(self, text, mode=0o600):
        file = self.folder / ".config" / "sandfleet" / "config"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)
        return file

    def commands(self):
        """Every command that is told of, from `sandfleet help` itself."""
        return re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", self.call("help").stdout, re.M)


class Help(Client):
    def test_every_way_that_asks(self):
        for words in (["help"], ["--help"], ["-h"]):
            self.assertIn("runs follow", self.call(*words).stdout)
        self.assertIn("runs follow", self.call(status=2).stderr)
        for words in (["runs", "--help"], ["help", "runs"], ["runs", "-h"]):
            told = self.call(*words).stdout
            self.assertIn("runs follow", told)
            self.assertNotIn("limits set", told)
        self.assertIn("runs follow", self.call("runs", status=2).stderr)
        for words in (["limits", "--help"], ["help", "limits"]):
            self.assertIn("limits set", self.call(*words).stdout)
        for words in (["help", "runs", "events"], ["runs", "events", "--help"], ["events", "-h"]):
            self.assertIn("--since", self.call(*words).stdout)
        self.assertIn("did you mean 'sandfleet runs events'?", self.call("runs", "evnts", status=2).stderr)
        self.assertIn("did you mean 'sandfleet limits set'?", self.call("limits", "se", status=2).stderr)
        self.assertRegex(self.call("--version").stdout, r"^sandfleet \d")
        self.assertIn("try 'sandfleet runs events --help'", self.call("events", "--snice", "3", status=2).stderr)
        self.assertIn("try 'sandfleet --help'", self.call("rnu", status=2).stderr)
        self.assertNotIn("quote the prompt", self.call("runs", "get", "a", "b", status=2).stderr)
        self.assertIn("quote the prompt", self.call("run", "a", "b", status=2).stderr)

    def test_a_full_disk_is_told(self):
        for words in (["--help"], ["runs", "--help"], ["runs", "get", "--help"], ["--version"], ["man"], ["completion", "fish"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([BIN / "sandfleet", *words], env=self.env, stdin=subprocess.DEVNULL, stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=30)
            self.assertEqual(done.returncode, 74, words)
            self.assertIn("standard output", done.stderr)
            done = subprocess.run(["bash", "-c", 'sandfleet "$@" | head -0; exit ${PIPESTATUS[0]}', "-", *words], env=self.env,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
            self.assertEqual((done.returncode, done.stderr), (0, ""), words)

    def test_each_command_has_its_own(self):
        commands = self.commands()
        self.assertGreater(len(commands), 10)
        for name in commands:
            told = self.call(*name.split(), "--help").stdout
            self.assertIn(f"usage: sandfleet {name} ", told)
            for example in told.partition("\nExamples:\n")[2].splitlines():
                self.assertRegex(example, r"^  \S")

    def test_help_does_not_need_a_sound_configuration(self):
        self.configure("nonsense")
        self.call("runs", "events", "--help")
        self.call("completion", "bash")
        self.assertIn("~/.config/sandfleet/config:1:", self.call("events", "--gaps", status=78).stderr)


class Input(Client):
    def test_ctrl_c_ends_a_submit_that_waits_for_its_input(self):
        submit = subprocess.Popen([BIN / "sandfleet", "batch", "submit", "-"], env=self.env | {"SANDFLEET_BROKERS": "127.0.0.1:1"},
                                  stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(submit.kill)
        submit.stdin.write(b"a prompt\n" * 50000)  # more than a pipe holds: it reads
        submit.stdin.flush()
        submit.send_signal(signal.SIGINT)
        self.assertEqual(submit.wait(20), -signal.SIGINT)
        submit.communicate()

    def test_one_ctrl_d_ends_a_prompt_that_is_typed(self):
        ours, theirs = pty.openpty()
        run = subprocess.Popen([BIN / "sandfleet", "run", "-"], env=self.env, stdin=theirs, stderr=subprocess.PIPE, text=True)
        self.addCleanup(run.kill)
        os.write(ours, b"  \n\x04")
        self.assertIn("the prompt is empty", run.communicate(timeout=20)[1])
        self.assertEqual(run.returncode, 65)
        os.close(ours)
        os.close(theirs)


    def test_a_text_that_cannot_be_taken_is_named(self):
        big, huge = self.folder / "big", self.folder / "huge"
        big.write_bytes(b"a" * (100 * 1024 + 1))
        huge.write_bytes(b"a" * (256 * 1024 + 1))
        for words, status, told in ((["submit", "--prompt-file", big], 65, f"the prompt in '{big}' is over 102400 bytes"),
                                    (["submit", "--prompt-file", self.folder], 3, f"cannot read '{self.folder}': Is a directory"),
                                    (["submit", "--prompt-file", "/none"], 3, "cannot open '/none': No such file"),
                                    (["batch", "validate", "--template", huge, "--data", big], 65, f"the template '{huge}' is over 262144 bytes"),
                                    (["batch", "validate", "--template", "/none", "--data", big], 3, "cannot open '/none': No such file")):
            self.assertIn(told, self.call(*words, status=status).stderr)
        with big.open() as file:
            done = subprocess.run([BIN / "sandfleet", "submit", "-"], env=self.env, stdin=file, capture_output=True, text=True, timeout=30)
        self.assertEqual((done.returncode, done.stderr), (65, "sandfleet: the prompt in 'standard input' is over 102400 bytes\n"))


class Settings(Client):
    def kafka_commands(self):
        return [name for name in self.commands() if "--kafka-prop" in self.call("help", *name.split()).stdout]

    def refused(self, *words, status):
        done = self.call(*words, status=status)
        self.assertIn("librdkafka has no setting 'sandfleet.no.such'", re.sub(r"\s+", " ", done.stdout + done.stderr))

    def test_properties_reach_every_command_that_talks_to_kafka(self):
        words = {"runs follow": ["01990000-0000-7000-8000-000000000001"], "run": ["a prompt"], "submit": ["a prompt"],
                 "batch submit": [__file__, "--format", "text"]}
        names = self.kafka_commands()
        self.assertLessEqual({"run", "submit", "runs follow", "topics apply"}, set(names))
        for name in names:
            if name in words or not re.search(r"usage: .*\] [A-Z]", self.call("help", *name.split()).stdout):
                call = name.split() + words.get(name, [])
                self.refused(*call, "-X", "sandfleet.no.such=1", status=2)
                self.configure("[x]\nkafka.sandfleet.no.such = 1\n")
                self.refused("--profile", "x", *call, status=78)

    def test_a_password_comes_from_the_profile_and_not_from_the_command_line(self):
        # no broker is there: what was refused ends at once, what was taken waits for one
        good = "[x]\nbrokers = 127.0.0.1:1\nkafka.security.protocol = SASL_PLAINTEXT\nkafka.sasl.mechanism = PLAIN\n" \
               "kafka.sasl.username = u\nkafka.sasl.password = hushhush\n"
        self.configure(good)
        told = self.call("--profile", "x", "topics", "apply", status=75).stderr
        self.assertNotIn("hush", told)
        self.assertRegex(told, r"kafka at 127.0.0.1:1 does not answer \(.*Connection refused\); is it up, and --brokers ")
        told = self.call("--profile", "x", "topics", "apply", "-X", "sasl.password=hushhush", status=2).stderr
        self.assertIn("sasl.password", told)
        self.assertNotIn("hush", told)
        self.configure(good, mode=0o644)
        self.assertIn("chmod 600", self.call("--profile", "x", "topics", "apply", status=78).stderr)

    def test_a_flag_that_means_nothing_is_a_wrong_command_line(self):
        """Status 2, and what to do; in the environment or a file it is the configuration that is wrong: 78."""
        for flags, told in ((["-X", "nope"], "-X wants name=value"),
                            (["-X", "linger.mss=1"], "did you mean 'linger.ms'?"),
                            (["-X", "security.protocol=tls"], "security.protocol")):
            done = self.call("submit", "a prompt", *flags, status=2)
            self.assertEqual(done.stdout, "")
            self.assertIn(told, done.stderr)
            self.assertIn("try 'sandfleet submit --help'", done.stderr)
        for words, told in ((["submit", "x", "--tenant", "a b"], "the options are no good: 'tenant' must be"),
                            (["submit", "x", "--session", "s", "--on-busy", "no"], "on_busy must be enqueue, reject or interrupt"),
                            (["run", "x", "--working-dir", "/etc"], "'working_dir' must be relative")):
            self.assertIn(told, self.call(*words, status=2).stderr)
        bad = "host=db password=hushhush nope"
        for words in (["migrate"], ["keys", "list"], ["limits", "get"], ["cred", "list"], ["events", "--gaps"], ["doctor"]):
            done = self.call(*words, "--database", bad, status=2)
            self.assertIn("(--database, SANDFLEET_DATABASE) is wrong: want \"host=", done.stderr)
            self.assertIn(f"try 'sandfleet {'runs ' if words[0] == 'events' else ''}{' '.join(w for w in words if w[0] != '-')} --help'", done.stderr)
            if words != ["doctor"]:  # which goes on with what it can check
                self.assertIn("SANDFLEET_DATABASE", self.call(*words, status=78, SANDFLEET_DATABASE=bad).stderr)
            self.assertNotIn("hush", done.stderr)

    def test_show_tells_where_each_value_comes_from(self):
        self.configure("profile = a\n[a]\nbrokers = file:1\ntenant = t\nkafka.sasl.password = hushhush\n")
        told = self.call("config", "show", SANDFLEET_TENANT="env").stdout
        self.assertRegex(told, r"brokers +file:1 +~/.config/sandfleet/config:3\n")
        self.assertRegex(told, r"tenant +env +SANDFLEET_TENANT\n")
        self.assertRegex(told, r"prefix +sandfleet\. +default\n")
        self.assertRegex(told, r"kafka-prop +sasl.password=\*\*\* ")
        self.assertNotIn("hush", told)
        self.assertNotIn("hush", self.call("config", "-o", "json", SANDFLEET_API_KEY="hushhush").stdout)

    def test_a_fault_is_named_with_its_line(self):
        file = self.configure("\nbroker = x\n")
        self.assertIn("config:2: unknown key 'broker': did you mean 'brokers'?", self.call("config", status=78).stderr)
        self.assertIn("did you mean", self.call("config", "--config", file, status=78).stderr)
        self.call("config", "--config", "/dev/null")
        self.call("config", "--config", "/nonexistent", status=78)
        self.call("config", SANDFLEET_PROFILE="x", SANDFLEET_CONFIG="/dev/null", status=78)


class Manual(Client):
    def test_pages_are_clean(self):
        self.call("man", "--folder", str(self.folder))
        pages = sorted(self.folder.glob("*.1"))
        self.assertIn("sandfleet.1", [page.name for page in pages])
        if not shutil.which("mandoc"):
            self.skipTest("no mandoc (ops/install --dev)")
        for page in pages:
            done = subprocess.run(["mandoc", "-T", "lint", page], capture_output=True, text=True, timeout=30)
            self.assertEqual(done.stdout + done.stderr, "")
        text = subprocess.run(["mandoc", "-T", "ascii", self.folder / "sandfleet.1"], capture_output=True, text=True, timeout=30)
        text = re.sub(r".\x08", "", text.stdout)
        for part in ("EXIT STATUS", "124", "SANDFLEET_BROKERS", "~/.config/sandfleet/config", "EXAMPLES"):
            self.assertIn(part, text)

    def test_the_same_pages_twice(self):
        first = self.call("man", "runs", SOURCE_DATE_EPOCH="86400").stdout
        self.assertIn("1970-01-02", first)
        self.assertEqual(first, self.call("man", "sandfleet-runs", SOURCE_DATE_EPOCH="86400").stdout)
        self.call("man", "xyzzy", status=3)


class Completion(Client):
    def bash(self, *words):
        """What bash would offer, its own way of cutting words included."""
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in ("sandfleet", *words))
        script = f"""source <(sandfleet completion bash)
            complete -p sandfleet >/dev/null || exit 1
            COMP_WORDS=({quoted}) COMP_CWORD={len(words)}
            _sandfleet
            printf '%s\\n' "${{COMPREPLY[@]}}" """
        done = subprocess.run(["bash", "--norc", "-u", "-c", script], env=self.env, cwd=self.folder, text=True, timeout=30,
                              capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_bash(self):
        self.configure("[prod]\n")
        (self.folder / "prompts.jsonl").touch()
        self.assertEqual(self.bash("ru"), ["run", "runs"])
        self.assertEqual(self.bash("runs", "ev"), ["events"])
        self.assertEqual(self.bash("run", "--out"), ["--output"])
        self.assertEqual(self.bash("run", "--output", "j"), ["json", "jsonl"])
        self.assertEqual(self.bash("run", "--output", "=", "j"), ["json", "jsonl"])
        self.assertEqual(self.bash("run", "--output", "="), ["text", "json", "jsonl"])
        self.assertEqual(self.bash("limits", "set", "ten"), ["tenant:"])
        self.assertEqual(self.bash("--profile", ""), ["prod"])
        self.assertEqual(self.bash("submit", "--file", "pro"), ["prompts.jsonl"])
        self.assertEqual(self.bash("xyzzy"), [])

    def test_fish(self):
        if not shutil.which("fish"):
            self.skipTest("no fish (ops/install --dev)")
        subprocess.run(["fish", "--no-execute", SCRIPTS / "sandfleet.fish"], check=True, timeout=30)
        script = "sandfleet completion fish | source; complete --do-complete 'sandfleet runs ev'; complete --do-complete 'sandfleet run --output=j'"
        done = subprocess.run(["fish", "--no-config", "-c", script], env=self.env, capture_output=True, text=True, timeout=30)
        self.assertEqual([line.split("\t")[0] for line in done.stdout.splitlines()], ["events", "--output=json", "--output=jsonl"])

    def test_zsh(self):
        if not shutil.which("zsh"):
            self.skipTest("no zsh (ops/install --dev)")
        subprocess.run(["zsh", "--no-exec", SCRIPTS / "sandfleet.zsh"], check=True, timeout=30)
        # the helpers of zsh's own completion are answered for: what they are given is what is shown
        script = """compdef() { }; _files() { print -r -- :files }
            _describe() { local one; for one in ${(P)2}; do print -r -- $one; done }
            source <(sandfleet completion zsh)
            words=(sandfleet limits set t) CURRENT=4; _sandfleet
            words=(sandfleet submit --file '') CURRENT=4; _sandfleet"""
        done = subprocess.run(["zsh", "--no-rcs", "-c", script], env=self.env, capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stdout.splitlines(), ["tenant\\::", ":files"], done.stderr)


if __name__ == "__main__":
    unittest.main()
