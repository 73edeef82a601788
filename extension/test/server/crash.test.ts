import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { Crashes, crashText, startText } from "../../src/server/crash";
import { ServerProcess } from "../../src/server/process";

const MINUTE = 60_000;

test("a server that keeps ending is started three times, reported at first and when it is given up", () => {
  const crashes = new Crashes();
  const reactions = [0, 1, 2, 3].map((second) => crashes.ended(1000 * second));
  assert.deepEqual(
    reactions.map(({ restart }) => restart),
    [true, true, true, false],
  );
  assert.deepEqual(
    reactions.map(({ report }) => report),
    [true, false, false, true],
  );
});

test("a server that ends now and then is started every time, and each time it is reported", () => {
  const crashes = new Crashes();
  for (let at = 0; at < 10; at++) {
    assert.deepEqual(crashes.ended(4 * at * MINUTE), { restart: true, report: true });
  }
});

test("a report tells how it ended, what it said last, and what happens now", () => {
  const text = crashText("exit code 1", ["a", "b", "c", "MemoryError"], true);
  assert.match(text, /exit code 1/);
  assert.match(text, /started again\. Its last lines: b c MemoryError$/);
  assert.match(crashText("ended by SIGKILL", [], false), /not started again\.$/);
  assert.ok(crashText("exit code 1", ["x".repeat(10_000)], true).length < 600);
});

function server(script: string, command = process.execPath): ServerProcess {
  return new ServerProcess({ kind: "found", source: "path", command, args: ["-e", script] }, tmpdir());
}

test("the last lines and the exit code of a server are known when it has ended", async () => {
  const ending = server('console.error("out of memory"); process.exit(7)');
  const child = await ending.start();
  await new Promise((closed) => child.once("close", closed));
  assert.equal(await ending.ending(), "exit code 7");
  assert.deepEqual(ending.lastLines(), ["out of memory"]);
});

test("a program that can't be started is named", async () => {
  const absent = server("", "/nowhere/shiftlens");
  await assert.rejects(absent.start(), /\/nowhere\/shiftlens/);
  assert.match(startText(await absent.ending(), absent.lastLines()), /did not start .*ENOENT/);
});
