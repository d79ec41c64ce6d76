"""How far processes let others have the cores first."""

from __future__ import annotations

import json
import subprocess
import sys

LOWERED = """
import json, os, subprocess, sys, time
from pathlib import Path
from mediaflow.sandbox.kernel import let_give_way
nap = "import threading, time; threading.Thread(target=time.sleep, args=(9,)).start(); print(flush=True); time.sleep(9)"
child = subprocess.Popen([sys.executable, "-c", nap], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
threads = [int(name) for name in os.listdir(f"/proc/{child.pid}/task")]
session = Path(f"/proc/{child.pid}/autogroup")
told = []
for nice in (4, 2):
    let_give_way([child.pid, 4_194_304], nice)
    time.sleep(0.5)
    weighed = int(session.read_text().split()[-1]) if session.exists() else None
    told.append([[os.getpriority(os.PRIO_PROCESS, thread) for thread in threads], weighed])
child.kill()
print(json.dumps([told, os.getpriority(os.PRIO_PROCESS, 0)]))
"""


def test_a_process_that_runs_is_let_give_way_with_its_threads_and_its_session() -> None:
    done = subprocess.run([sys.executable, "-c", LOWERED], capture_output=True, text=True, check=True, timeout=30)
    (first, again), own = json.loads(done.stdout)
    priorities, session = first
    assert priorities == [4, 4], "each of its threads"
    assert session in (4, None)
    assert first == again, "never less than before"
    assert own == 0
