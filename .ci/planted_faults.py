#!/usr/bin/env python3
"""Plants faults in a copy of the policy, one at a time, and checks that the search of every schedule finds each.

    .ci/planted_faults.py            all faults
    .ci/planted_faults.py WORD       those whose name contains WORD
"""

import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
COPY = TARGET / "planted"
SESSION = "lark-proto/src/session"
TEST = "every_schedule_of_a_small_world_keeps_the_rules"

# The name of each fault, its file, the text that it replaces, and the text in its place.
FAULTS = [
    (
        "a wake-up is lost",
        f"{SESSION}/lanes.rs",
        "        if was_first {\n            woken.extend(lane.queue.keys().next());\n        }\n",
        "        let _ = (was_first, woken);\n",
    ),
    (
        "a lane is freed while its write is in flight",
        f"{SESSION}/call/machine/mod.rs",
        "        Ok(self.send(started, generation, now))\n",
        "        if let Some(lane) = &self.lane {\n"
        "            session.lanes.leave(lane, started.id, now, &mut session.woken);\n"
        "        }\n"
        "        Ok(self.send(started, generation, now))\n",
    ),
    (
        "two token requests are in flight at once",
        f"{SESSION}/tokens/slot/mod.rs",
        "    pub(super) fn request(&self) -> Option<TokenRequestId> {\n        self.request\n",
        "    pub(super) fn request(&self) -> Option<TokenRequestId> {\n        None\n",
    ),
    (
        "a pause is lost with its caller",
        f"{SESSION}/tokens/mod.rs",
        "            if next.is_none() {\n                entry.failure = None;\n            }\n",
        "            if next.is_none() {\n                entry.failure = None;\n            }\n"
        "            entry.slot.begin_series();\n",
    ),
    (
        "a request that is not idempotent is sent again",
        f"{SESSION}/call/machine/retry/mod.rs",
        "        if outcome == Outcome::Unknown && self.resend == Resend::Unsafe {\n",
        "        if outcome == Outcome::Unknown && self.resend == Resend::Unsafe && self.limits.attempts == 0 {\n",
    ),
    (
        "a gate never reopens",
        f"{SESSION}/gates/throttle.rs",
        "            Self::Closed { until, .. } => until,\n",
        "            Self::Closed { .. } => Moment::NEVER,\n",
    ),
]


def search():
    """Runs the search in the copy. Returns whether it was built, whether it passed, and its output."""
    env = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    command = ["cargo", "test", "--quiet", "-p", "lark-proto", "--test", "it"]
    built = subprocess.run([*command, "--no-run"], cwd=COPY, env=env, capture_output=True, text=True)
    if built.returncode != 0:
        return False, False, built.stderr
    run = subprocess.run([*command, TEST], cwd=COPY, env=env, capture_output=True, text=True)
    return True, run.returncode == 0 and " 1 passed" in run.stdout, run.stdout + run.stderr


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    if not any(word in name for name, *_ in FAULTS):
        sys.exit(f"no fault is named {word}")
    shutil.rmtree(COPY, ignore_errors=True)
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in files.stdout.splitlines():
        (COPY / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, COPY / name)
    built, passed, output = search()
    if not (built and passed):
        sys.exit(f"the search fails without a fault:\n{output[-4000:]}")
    failures = 0
    for name, file, old, new in FAULTS:
        if word not in name:
            continue
        path = COPY / file
        source = path.read_text()
        if source.count(old) != 1:
            sys.exit(f"{name}: the text to replace occurs {source.count(old)} times in {file}")
        path.write_text(source.replace(old, new))
        built, passed, output = search()
        path.write_text(source)
        if not built:
            sys.exit(f"{name}: does not compile:\n{output[-4000:]}")
        finding = [line for line in output.splitlines() if line.startswith(("world:", "schedule:"))]
        is_found = not passed and bool(finding)
        print(f"{'found' if is_found else 'MISSED'}: {name}", *finding[:2], sep="\n    ", flush=True)
        failures += not is_found
    shutil.rmtree(COPY)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
