import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Machine,
  type Probe,
  resolveServer,
  type ServerOptions,
  sameResolution,
} from "../../src/server/resolve";

const NOTHING: ServerOptions = {
  serverCommand: [],
  interpreter: "",
  managedInterpreter: undefined,
  activeInterpreter: undefined,
  logLevel: "warning",
};

/** A machine with these interpreters (absent ones can't be run) and this `shiftlens` on the PATH. */
function machine(interpreters: Record<string, Probe> = {}, onPath?: string): Machine {
  return {
    probe: async (interpreter) => interpreters[interpreter] ?? "cannotRun",
    findOnPath: async () => onPath,
  };
}

test("a server command is used as it stands, before anything else", async () => {
  const options = { ...NOTHING, serverCommand: ["uv", "run", "shiftlens", "serve"], interpreter: "/py" };
  const found = await resolveServer(options, machine({ "/py": "found" }, "/bin/shiftlens"));
  assert.deepEqual(found, {
    kind: "found",
    source: "serverCommand",
    command: "uv",
    args: ["run", "shiftlens", "serve"],
  });
});

test("a server command without a program is an error, not a reason to look elsewhere", async () => {
  const found = await resolveServer({ ...NOTHING, serverCommand: [" "] }, machine({}, "/bin/shiftlens"));
  assert.equal(found.kind === "notFound" && found.setting, "shiftlens.serverCommand");
});

test("the interpreter of the settings runs the package as a module", async () => {
  const found = await resolveServer({ ...NOTHING, interpreter: "/py" }, machine({ "/py": "found" }));
  assert.deepEqual(found, {
    kind: "found",
    source: "interpreter",
    command: "/py",
    args: ["-m", "shiftlens", "serve", "--log-level", "warning"],
  });
});

test("an interpreter of the settings that lacks the package is named, and nothing else is tried", async () => {
  const options = { ...NOTHING, interpreter: "/py", activeInterpreter: "/active" };
  const found = await resolveServer(
    options,
    machine({ "/py": "noPackage", "/active": "found" }, "/bin/shiftlens"),
  );
  assert.ok(found.kind === "notFound");
  assert.match(found.problem, /\/py .*does not have the package/);
  assert.match(found.remedy, /\/py -m pip install shiftlens/);
});

test("an interpreter of the settings that can't be run is named", async () => {
  const found = await resolveServer({ ...NOTHING, interpreter: "/gone" }, machine());
  assert.ok(found.kind === "notFound");
  assert.match(found.problem, /\/gone .*can't be run/);
});

test("the active environment is used if it has the package", async () => {
  const found = await resolveServer(
    { ...NOTHING, activeInterpreter: "/venv/py" },
    machine({ "/venv/py": "found" }),
  );
  assert.ok(found.kind === "found");
  assert.equal(found.source, "activeInterpreter");
});

test("an active environment without the package gives way to the PATH", async () => {
  const options = { ...NOTHING, activeInterpreter: "/venv/py" };
  const found = await resolveServer(options, machine({ "/venv/py": "noPackage" }, "/bin/shiftlens"));
  assert.ok(found.kind === "found");
  assert.deepEqual([found.command, found.args[0]], ["/bin/shiftlens", "serve"]);
});

test("the extension's own environment comes before the active one and the PATH", async () => {
  const options = { ...NOTHING, managedInterpreter: "/own/py", activeInterpreter: "/venv/py" };
  const here = machine({ "/own/py": "found", "/venv/py": "found" }, "/bin/shiftlens");
  const found = await resolveServer(options, here);
  assert.ok(found.kind === "found");
  assert.deepEqual([found.source, found.command], ["managed", "/own/py"]);
});

test("what the user names comes before the extension's own environment", async () => {
  const here = machine({ "/own/py": "found", "/py": "found" });
  const found = await resolveServer({ ...NOTHING, managedInterpreter: "/own/py", interpreter: "/py" }, here);
  assert.equal(found.kind === "found" && found.source, "interpreter");
});

test("an own environment whose Python is gone is passed over, so that installing is offered again", async () => {
  const found = await resolveServer({ ...NOTHING, managedInterpreter: "/own/py" }, machine());
  assert.equal(found.kind === "notFound" && found.installable, true);
});

test("with nothing to start, the answer says what to install and where to point", async () => {
  const found = await resolveServer(NOTHING, machine());
  assert.ok(found.kind === "notFound");
  assert.match(found.remedy, /ShiftLens: Install Server/);
  assert.equal(found.installable, true);
  assert.equal(found.setting, "shiftlens.interpreter");
});

test("the same options on the same machine give the same answer, another log level another one", async () => {
  const here = machine({}, "/bin/shiftlens");
  const first = await resolveServer(NOTHING, here);
  assert.ok(sameResolution(first, await resolveServer(NOTHING, here)));
  assert.ok(!sameResolution(first, await resolveServer({ ...NOTHING, logLevel: "debug" }, here)));
  assert.ok(!sameResolution(undefined, first));
});
