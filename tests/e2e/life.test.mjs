// What happens to the editor when processes end: the server's, the engine's, its own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const SERVER = "shiftlens serve";
const ENGINE = "shiftlens[.]engine( --[a-z-]+)?$";
const HOST = "shiftlens[.]engine[.]sharing[.]host$";

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
  await editor.until("the engine's end", async () => (await code.pids(`${ENGINE}|${HOST}`)).length === 0);
  assert.equal(await only(SERVER), server);
  assert.deepEqual(await editor.runs(1), colours);
});

test("when the engine is killed the status tells it, the colours stay, and the next edit scores again", async () => {
  await editor.command("ShiftLens: Score This File");
  await editor.click({ line: 1, column: 30 });
  await editor.page.keyboard.press("End");
  // Something new to score brings the engine back that the test before has ended.
  await editor.page.keyboard.type(" Bye.");
  await editor.until("an engine", async () => (await code.pids(ENGINE)).length === 1);
  await editor.until("scores", async () => (await editor.hover(await editor.find("Bye"))).includes("Base rank"));
  await editor.waitForStatus("Shifts shown");
  await editor.closeHover();
  const colours = await editor.runs(1);
  const killed = await only(ENGINE);
  // While it is being stopped, it can't answer: what is typed now is being scored when it ends.
  process.kill(killed, "SIGSTOP");
  await editor.page.keyboard.type(" Now.");
  await editor.until("scoring", async () => /Loading|Scoring/.test(await editor.status()));
  process.kill(killed, "SIGKILL");
  await editor.waitForStatus("Error");
  assert.match(await editor.status(), /engine/i);
  const after = await editor.runs(1);
  for (const { column, text, color } of colours.slice(0, -1)) {
    assert.ok(
      after.some((run) => run.column === column && run.text === text && run.color === color),
      text,
    );
  }
  await editor.screenshot("engine-killed");
  await editor.page.keyboard.type(" Then.");
  await editor.waitForStatus("Shifts shown");
  assert.notEqual(await only(ENGINE), killed);
});

test("a server that is killed is started again, and there is one engine", async () => {
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

test("the log can be shown, and holds no text of the transcript", async () => {
  await editor.command("ShiftLens: Show Log");
  const output = editor.page.locator(".output-view, .part.panel");
  await output.getByText("Server:").first().waitFor();
  await editor.screenshot("log");
  assert.doesNotMatch(await output.first().innerText(), /Great question/);
  await editor.page.keyboard.press("Control+j");
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
