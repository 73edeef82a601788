// What happens to the editor when processes end: the server's, the engine's, its own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const SERVER = "shiftlens serve";
const ENGINE = "shiftlens.engine";

let browser;
let code;
let pair;
let editor;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  // Without the scores of before, each server has to start an engine.
  const settings = { ...pair.settings, "shiftlens.interpreter": PYTHON, "shiftlens.resultCache": false };
  const files = { "chat.txt": "User: Hi\nAssistant: Great question! The sum of it all.\n" };
  code = await startVsCode({ name: "life", settings, files });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
});

after(async () => {
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

async function only(words) {
  const pids = await code.pids(words);
  assert.equal(pids.length, 1, `${pids.length} processes for "${words}"`);
  return pids[0];
}

test("unloading the models ends the engine and keeps the server and the colours", async () => {
  const server = await only(SERVER);
  await only(ENGINE);
  const colours = await editor.runs(1);
  await editor.command("ShiftLens: Unload the Models");
  await editor.until("the engine's end", async () => (await code.pids(ENGINE)).length === 0);
  assert.equal(await only(SERVER), server);
  assert.deepEqual(await editor.runs(1), colours);
});

test("a server that is killed is started again, and its engine does not outlive it", async () => {
  const killed = await only(SERVER);
  process.kill(killed, "SIGKILL");
  await editor.until("another server", async () => {
    const pids = await code.pids(SERVER);
    return pids.length === 1 && pids[0] !== killed;
  });
  await editor.waitForStatus("Shifts shown");
  await only(ENGINE);
});

test("restarting by command leaves one server and one engine", async () => {
  const old = await only(SERVER);
  await editor.command("ShiftLens: Restart Server");
  await editor.until("another server", async () => {
    const pids = await code.pids(SERVER);
    return pids.length === 1 && pids[0] !== old;
  });
  await editor.waitForStatus("Shifts shown");
  await only(ENGINE);
});

test("debug information names the command and the versions, and holds no text of the transcript", async () => {
  await editor.command("ShiftLens: Show Debug Information");
  await editor.until("the document", async () =>
    (await editor.lines()).some((line) => line.includes('"command"')),
  );
  const text = (await editor.lines()).join("\n");
  assert.ok(text.includes(PYTHON));
  assert.match(text, /"transformers": "\d/);
  assert.doesNotMatch(text, /Great question/);
  await editor.screenshot("debug-information");
});
