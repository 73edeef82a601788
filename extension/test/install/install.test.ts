import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { Cancelled, carryOut, removeObsolete, StepFailed } from "../../src/install/carryOut";
import {
  interpreterIn,
  objection,
  obsolete,
  type Plan,
  type Python,
  parsePython,
  planInstall,
  progressOf,
  pythonCandidates,
  type Step,
  whatHappens,
  whyPipFailed,
} from "../../src/install/plan";
import { findPython } from "../../src/install/python";

const PYTHON: Python = { executable: "/py", version: [3, 11], bits: 64, makesEnvironments: true };
const BUNDLE = {
  wheel: "/ext/shiftlens.whl",
  lock: "/ext/requirements.lock",
  review: "/ext/requirements-review.lock",
  versions: "/ext/versions.txt",
  digest: "0123456789abcdef",
};
const WANTED = {
  bundle: BUNDLE,
  kind: "whole" as const,
  version: "1.2.3",
  storage: "/store",
  python: "/py",
  platform: "linux" as const,
  pipArguments: ["--extra-index-url", "file:///wheels"],
  nonce: "77",
};

test("an environment is made beside its place, named by the version and by what goes into it", () => {
  const { folder, partial } = planInstall(WANTED);
  assert.equal(folder, "/store/1.2.3-01234567");
  assert.notEqual(partial, folder);
  assert.notEqual(partial, planInstall({ ...WANTED, nonce: "78" }).partial);
  assert.ok(partial.startsWith("/store/"));
});

function pipSteps() {
  const { partial, steps } = planInstall(WANTED);
  const pips = steps.filter(({ isPip }) => isPip);
  assert.ok(pips.every(({ command }) => command === `${partial}/bin/python`));
  assert.ok(pips.every(({ args }) => args[args.indexOf("--only-binary") + 1] === ":all:"));
  const [packages, torch, wheel, ...more] = pips.map(({ args }) => args);
  assert.ok(packages && torch && wheel);
  assert.deepEqual(more, []);
  return { packages, torch, wheel };
}

test("an environment is made, filled from wheels alone, and then tried", () => {
  const { partial, steps } = planInstall(WANTED);
  const [environment, , , , ...trials] = steps;
  assert.deepEqual([environment?.command, ...(environment?.args ?? [])], ["/py", "-I", "-m", "venv", partial]);
  assert.deepEqual(
    trials.map(({ args }) => args.at(-1)),
    ["import torch", "--version"],
  );
  assert.ok(steps.every(({ args }) => args.includes("-I")));
});

test("packages are those of the lock with hashes, and nothing that the lock does not name", () => {
  const { packages } = pipSteps();
  assert.equal(packages[packages.indexOf("--requirement") + 1], BUNDLE.lock);
  assert.ok(packages.includes("--require-hashes"));
  assert.ok(packages.includes("--no-deps"));
});

test("PyTorch comes after them, at the version that was tested, and without a hash", () => {
  const { torch } = pipSteps();
  assert.equal(torch.at(-1), "torch");
  assert.equal(torch[torch.indexOf("--constraint") + 1], BUNDLE.versions);
  assert.ok(!torch.includes(BUNDLE.lock));
});

test("the server's wheel is the extension's own, and nothing is fetched for it", () => {
  const { wheel } = pipSteps();
  assert.equal(wheel.at(-1), BUNDLE.wheel);
  assert.ok(wheel.includes("--no-deps"));
  assert.ok(wheel.includes("--no-index"));
});

test("for review only, nothing that runs models is fetched or tried, and what is fetched has hashes", () => {
  const { folder, partial, steps } = planInstall({ ...WANTED, kind: "review" });
  assert.equal(folder, "/store/1.2.3-01234567r");
  assert.deepEqual(
    steps.map(({ title }) => title),
    ["Making a Python environment", "Fetching packages", "Installing the server", "Trying the server"],
  );
  const packages = steps[1]?.args ?? [];
  assert.equal(steps[1]?.command, `${partial}/bin/python`);
  assert.equal(packages[packages.indexOf("--requirement") + 1], BUNDLE.review);
  assert.ok(packages.includes("--require-hashes"));
  assert.ok(packages.includes("--no-deps"));
  assert.doesNotMatch(JSON.stringify(steps), /torch/);
});

test("what is installed for review only stands beside what runs models until that is there", () => {
  const whole = planInstall(WANTED).folder;
  const review = planInstall({ ...WANTED, kind: "review" }).folder;
  assert.notEqual(whole, review);
  const names = [whole, review].map((folder) => ({ name: folder.replace("/store/", ""), ageMs: 0 }));
  assert.deepEqual(obsolete(names, "1.2.3-01234567"), ["1.2.3-01234567r"]);
});

test("a user is told what review only leaves out, and what shows", () => {
  const told = whatHappens("linux", PYTHON, "/store");
  assert.match(told, /"Review Only" leaves out all that runs models/);
  assert.match(told, /shiftlens analyze FILE --save/);
});

test("the user's arguments reach pip wherever it fetches", () => {
  const { packages, torch, wheel } = pipSteps();
  const reached = [packages, torch, wheel].map((args) =>
    args.join(" ").includes("--extra-index-url file:///wheels"),
  );
  assert.deepEqual(reached, [true, true, false]);
});

test("on Windows the interpreter is where Windows has it", () => {
  assert.equal(interpreterIn("C:\\store\\1", "win32"), "C:\\store\\1\\Scripts\\python.exe");
  assert.match(
    planInstall({ ...WANTED, platform: "win32", storage: "C:\\s" }).partial,
    /^C:\\s\\1\.2\.3-01234567~77$/,
  );
});

test("the Python of the settings is asked first, the launcher of Windows only there", () => {
  const names = (platform: NodeJS.Platform, preferred = "") =>
    pythonCandidates(preferred, platform).map(({ command, args }) => [command, ...args].join(" "));
  assert.deepEqual(names("linux"), ["python3", "python"]);
  assert.deepEqual(names("win32", "C:\\py.exe"), ["C:\\py.exe", "python3", "python", "py -3"]);
});

test("Pythons that are too old, too narrow or can't make environments are turned down, with the reason", () => {
  assert.equal(objection(PYTHON), undefined);
  assert.equal(objection({ ...PYTHON, version: [3, 10] }), undefined);
  assert.match(objection({ ...PYTHON, version: [3, 9] }) ?? "", /3\.9, and 3\.10 or newer/);
  assert.match(objection({ ...PYTHON, version: [2, 7] }) ?? "", /2\.7/);
  assert.match(objection({ ...PYTHON, bits: 32 }) ?? "", /32-bit/);
  assert.match(objection({ ...PYTHON, makesEnvironments: false }) ?? "", /python3-venv/);
});

test("what is no Python's answer is none", () => {
  for (const answer of ["", "Python was not found", "{}", '{"executable": "", "version": [3, 11]}', "[1]"]) {
    assert.equal(parsePython(answer), undefined, answer);
  }
});

test("a program that is not there and one that is no Python are passed over by name", async () => {
  const candidates = [
    { command: "/nowhere/python", args: [] },
    { command: process.execPath, args: [] },
  ];
  const { python, objections } = await findPython(candidates, tmpdir());
  assert.equal(python, undefined);
  assert.equal(objections.length, 2);
  assert.match(objections[0] ?? "", /\/nowhere\/python: it can't be run/);
});

test("other versions are obsolete; an unfinished one only when it is old", () => {
  const hour = 60 * 60 * 1000;
  const entries = [
    { name: "1.0.0-a", ageMs: hour },
    { name: "1.1.0-b", ageMs: hour },
    { name: "1.1.0-b~1", ageMs: hour },
    { name: "1.1.0-b~2", ageMs: 48 * hour },
  ];
  assert.deepEqual(obsolete(entries, "1.1.0-b"), ["1.0.0-a", "1.1.0-b~2"]);
});

test("pip's lines tell what is fetched and how large it is", () => {
  assert.equal(progressOf("Collecting torch==2.13.0 (from shiftlens)"), "Fetching torch");
  const downloading = "  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (191.8 MB)";
  assert.equal(progressOf(downloading), "Downloading torch (191.8 MB)");
  assert.match(progressOf("Installing collected packages: torch, shiftlens") ?? "", /Unpacking/);
  assert.equal(progressOf("Requirement already satisfied: pip"), undefined);
});

test("a package with another hash is told in a sentence, and other failures by pip's last lines", () => {
  const expected = Array.from({ length: 80 }, () => `        Expected     or ${"a".repeat(64)}`);
  const told = whyPipFailed([...expected, `             Got        ${"b".repeat(64)}`, ""]);
  assert.match(told, /hash is another one/);
  assert.doesNotMatch(told, /aaaa/);
  assert.equal(whyPipFailed(["1", "2", "ERROR: no", "space"]), "2 ERROR: no space");
});

test("a user of Linux is told that PyTorch may come with gigabytes for GPUs, and what avoids it", () => {
  const told = whatHappens("linux", PYTHON, "/store");
  assert.match(told, /GB of downloads/);
  assert.match(told, /installArguments/);
  assert.match(told, /\/store/);
  assert.match(told, /hash .* except of PyTorch/);
  assert.doesNotMatch(whatHappens("darwin", PYTHON, "/store"), /NVIDIA/);
});

// From here on, real processes in a real folder; Node stands in for Python.
let storage: string;
let folder: string;

beforeEach(async () => {
  storage = await mkdtemp(join(tmpdir(), "shiftlens-install-"));
  folder = join(storage, "1.0.0-a");
});

afterEach(() => rm(storage, { recursive: true, force: true }));

function plan(...scripts: string[]): Plan {
  const partial = `${folder}~1`;
  const make = `require("fs").mkdirSync(${JSON.stringify(partial)})`;
  const steps = [make, ...scripts].map(
    (script): Step => ({ title: "Step", command: process.execPath, args: ["-e", script] }),
  );
  return { folder, partial, steps };
}

function write(name: string): string {
  return `require("fs").writeFileSync(${JSON.stringify(join(`${folder}~1`, name))}, "")`;
}

const silent = { progress: () => undefined, line: () => undefined };
const never = new AbortController().signal;

test("an installation is at its place when every step has gone well, and replaces one that was there", async () => {
  await mkdir(folder);
  await writeFile(join(folder, "old"), "");
  await carryOut(plan(write("new")), never, silent);
  assert.deepEqual(await readdir(folder), ["new"]);
  assert.deepEqual(await readdir(storage), ["1.0.0-a"]);
});

test("a step that fails leaves nothing, keeps what was there, and hands over its last lines", async () => {
  await mkdir(folder);
  const failing = plan(write("half"), 'console.error("no such package"); process.exit(3)');
  await assert.rejects(carryOut(failing, never, silent), (error: unknown) => {
    assert.ok(error instanceof StepFailed);
    assert.match(error.ending, /3/);
    assert.deepEqual(error.lines, ["no such package"]);
    return true;
  });
  assert.deepEqual(await readdir(storage), ["1.0.0-a"]);
});

test("a program that is not there is a failure like any other", async () => {
  const { folder: at, partial } = plan();
  const steps = [{ title: "Step", command: "/nowhere/python", args: [] }];
  await assert.rejects(carryOut({ folder: at, partial, steps }, never, silent), StepFailed);
});

test("cancelling ends the program with all that it started, and leaves nothing", async () => {
  const child = 'setInterval(() => {}, 1000); console.log("up")';
  const parent = `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(child)}], { stdio: "inherit" })`;
  const abort = new AbortController();
  const listener = { ...silent, line: (text: string) => text === "up" && abort.abort() };
  // It settles when the output is closed by everyone who had it, so that a child left over would hold it up.
  await assert.rejects(carryOut(plan(parent), abort.signal, listener), Cancelled);
  assert.deepEqual(await readdir(storage), []);
});

test("after an installation, those of other versions go", async () => {
  for (const name of ["0.9.0-x", "1.0.0-a", "1.0.0-a~1", "1.0.0-a~2"]) {
    await mkdir(join(storage, name));
  }
  const old = new Date(Date.now() - 48 * 60 * 60 * 1000);
  await utimes(join(storage, "1.0.0-a~2"), old, old);
  assert.deepEqual(await removeObsolete(folder), []);
  assert.deepEqual((await readdir(storage)).sort(), ["1.0.0-a", "1.0.0-a~1"]);
});
