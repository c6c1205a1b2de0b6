# SPDX-License-Identifier: Apache-2.0
"""Promise: what a worker does can be seen from outside (/metrics, /healthz, /readyz), and neither
there nor in any log stands a prompt, an agent's output or a secret.
Proof: the pages, read by Prometheus' own parser, tell of a run what the tables tell; readiness
turns red and says why when Postgres or Kafka goes, and while the worker drains; after runs
with planted words in the prompt, in all that the agent prints and in the credential, with the
logs as talkative as they get, nothing holds one of the words."""

import json
import re
import subprocess
import sys
import unittest
import uuid
import urllib.error
import urllib.request

sys.path.insert(0, __file__.rsplit("/", 2)[0] + "/lib")
from fleet import Stack  # noqa: E402

PROMPT, OUTPUT, STDERR, TOKEN = "zzprompt77", "zzoutput88", "zzstderr99", "sk-ant-oat01-zztoken66"
PARSE = """
import json, sys
from prometheus_client.parser import text_string_to_metric_families as parse
print(json.dumps([[s.name, s.labels, s.value] for f in parse(sys.stdin.read()) for s in f.samples]))
"""
# One line of the format 0.0.4, stricter than the parser.
LABEL = r'[a-z_]+="(?:[^"\\\n]|\\["\\n])*"'
LINE = re.compile(rf'# (?:HELP|TYPE) [a-z_]+ \S.*|[a-z_]+(?:{{{LABEL}(?:,{LABEL})*}})? (?:[0-9.e+-]+|\+Inf|NaN)')

AGENT = f"""#!/bin/sh
case "$1" in --version) echo "2.1.0 (Claude Code)"; exit 0 ;; esac
cat > /dev/null
word={OUTPUT}
session=01234567-89ab-4cde-8f01-23456789abcd
echo '{{"type":"system","subtype":"init","session_id":"'$session'","model":"m","cwd":"/","tools":[]}}'
echo "no JSON $word"
echo {STDERR} >&2
echo '{{"type":"assistant","session_id":"'$session'","message":{{"model":"m","content":[{{"type":"text","text":"'$word'"}}]}}}}'
echo '{{"type":"result","subtype":"success","is_error":'$IS_ERROR',"session_id":"'$session'","result":"'$word'","total_cost_usd":0.25,"num_turns":1,"modelUsage":{{"m":{{"inputTokens":11,"outputTokens":7,"costUSD":0.25}}}}}}'
exit $STATUS
"""


class Seen(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack("seen", env={"SANDFLEET_LEASE": "3s", "SANDFLEET_LOG_LEVEL": "debug",
                                       "SANDFLEET_DRAIN": "60s", "CLAUDE_CODE_OAUTH_TOKEN": TOKEN})
        cls.stack.dir.mkdir(parents=True, exist_ok=True)
        agent = cls.stack.dir / "agent"
        agent.write_text(AGENT)
        agent.chmod(0o755)
        cls.stack.claude = str(agent)
        cls.enterClassContext(cls.stack)

    # --- reading ----------------------------------------------------------

    def page(self, path):
        """Status and text."""
        try:
            with urllib.request.urlopen(self.stack.env["SANDFLEET_METRICS_1"] + path, timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()

    def metrics(self):
        """{(name, label value…): value}, by Debian's package of the public parser."""
        status, text = self.page("/metrics")
        self.assertEqual(status, 200)
        for line in text.rstrip("\n").split("\n"):
            self.assertTrue(LINE.fullmatch(line), line)
        done = subprocess.run(["/usr/bin/python3", "-c", PARSE], input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        samples = json.loads(done.stdout)
        found = {(name, *labels.values()): value for name, labels, value in samples}
        self.assertEqual(len(found), len(samples), "a series stands there twice")
        return found

    def wait_ready(self, *reasons):
        def as_wanted():
            status, text = self.page("/readyz")
            self.assertEqual(status, 503 if json.loads(text)["reasons"] else 200)
            return sorted(json.loads(text)["reasons"]) == sorted(reasons)
        self.stack.wait(f"readiness: {reasons or 'ready'}", as_wanted)

    def run_one(self, is_error, status):
        run = {"prompt": f"say {PROMPT}", "max_attempts": 1, "env": {"IS_ERROR": is_error, "STATUS": status}}
        (line,) = self.stack.sandfleet("submit", "--file", "-", "--batch", str(uuid.uuid4()),
                                       stdin=json.dumps(run) + "\n").stdout.splitlines()
        run_id = re.search("[0-9a-f]{8}-[0-9a-f-]{27}", line)[0]
        self.stack.wait_rows("select 1 from fleet.runs where run_id = :'id'::uuid and ended", 1, id=run_id)
        return run_id

    # --- tests ------------------------------------------------------------

    def test_a_run_is_seen(self):
        before = self.metrics()
        self.run_one("false", "0")
        after = self.metrics()
        grown = {key: after[key] - before.get(key, 0) for key in after if after[key] != before.get(key, 0)}
        runs = "sandfleet_worker_"
        for key, want in {(runs + "lines_total",): 4, (runs + "attempts_ended_total", "success"): 1,
                          (runs + "runs_ended_total", "success"): 1, (runs + "cost_usd_total", "agent"): 0.25,
                          (runs + "tokens_total", "input"): 11, (runs + "tokens_total", "output"): 7,
                          (runs + "sandbox_calls_total", "create", "ok"): 1,
                          (runs + "sandbox_call_seconds_count", "create"): 1}.items():
            self.assertEqual(grown.get(key), want, key)
        self.assertEqual(after[runs + "slots",], 50)
        self.stack.wait("all to be up", lambda: sum(self.metrics()[runs + name,] for name in ("ledger_up", "kafka_up", "lease_held")) == 3)
        self.assertEqual({key[0] for key in after if key[0].startswith(runs + "runs") and key[0].endswith("runs")}, {runs + "runs"})
        self.assertGreater(grown[runs + "loop_delay_seconds_count",], 0)
        self.stack.wait("the leader's word on what waits",
                        lambda: self.metrics().get(("sandfleet_ledger_waiting_runs", "none")) == 0)

    def test_nothing_that_is_secret_or_private_is_seen(self):
        done = [self.run_one("false", "0"), self.run_one("true", "1")]
        letter = f'{{"prompt": "{PROMPT}", "v": 1, "run_id": 7}}'
        self.stack.produce("runs.batch", letter.encode(), key=PROMPT)
        self.stack.wait_log("worker-1", "run.refused")
        states = [self.stack.value("select state from fleet.runs where run_id = :'id'::uuid", id=i) for i in done]
        self.assertEqual(states, ["completed", "failed"])
        stored = self.stack.value("select count(*) from fleet.events where data::text like '%' || :'word' || '%'", word=OUTPUT)
        self.assertGreaterEqual(stored, 6)  # the words did go through
        texts = {"/metrics": self.page("/metrics")[1], "/readyz": self.page("/readyz")[1]}
        for path in sorted((self.stack.dir / "log").iterdir()):
            texts[path.name] = path.read_text(errors="replace")
        self.assertIn("run.state", texts["worker-1.log"])  # debug it is
        for name, text in texts.items():
            for word in (PROMPT, OUTPUT, STDERR, TOKEN, TOKEN.rsplit("-", 1)[1]):
                self.assertNotIn(word, text, name)

    def test_readiness_says_what_is_missing(self):
        self.wait_ready()
        self.stack.kill("postgres")
        self.wait_ready("ledger_down", "lease_lapsed")
        self.assertEqual(self.page("/healthz")[0], 200)
        self.assertEqual(self.metrics()["sandfleet_worker_ledger_up",], 0)
        self.stack.start("postgres")
        self.wait_ready()
        self.stack.kill("kafka")
        self.wait_ready("kafka_down")
        self.stack.start("kafka")
        self.wait_ready()


if __name__ == "__main__":
    unittest.main(verbosity=2)
