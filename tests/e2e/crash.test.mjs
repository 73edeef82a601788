// A server that ends by itself: told once, started again a few times, then left to the user.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const SERVER = "shiftlens serve";
const FAILING = ["/bin/sh", "-c", "echo no memory is left >&2; exit 7"];

let browser;
let code;
let editor;

before(async () => {
  browser = await startBrowser();
  code = await startVsCode({
    name: "crash",
    settings: { "shiftlens.interpreter": PYTHON },
    files: { "chat.txt": "User: Hi\nAssistant: Hello\n" },
  });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("No model pair");
});

after(async () => {
  await browser?.close();
  await code?.stop();
});

/** How often the extension's log says something. Each server that answers is in it, and each that ended by itself. */
async function logged(words) {
  const folder = join(code.userData, "logs");
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith("ShiftLens.log"));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), "utf8")));
  return texts.join("").split(words).length - 1;
}

/** End the server that answers, and wait until the extension knows of it. */
async function kill() {
  const ends = await logged("ended unexpectedly");
  await editor.until("a server that answers", async () => (await logged("The server answers.")) > ends);
  const [pid] = await code.pids(SERVER);
  process.kill(pid, "SIGKILL");
  await editor.until("its end", async () => (await logged("ended unexpectedly")) > ends);
}

async function reports(words) {
  return (await editor.notifications()).filter((text) => text.includes(words));
}

test("an unexpected end is told once, and the server is started again", async () => {
  await kill();
  const [told] = await editor.until("a report", async () => {
    const texts = await reports("ended unexpectedly");
    return texts.length > 0 && texts;
  });
  assert.match(told, /SIGKILL/);
  assert.match(told, /started again/);
  await editor.screenshot("crash-1-told");
  await kill();
  await editor.until("another server", async () => (await logged("The server answers.")) === 3);
  await editor.waitForStatus("No model pair");
  assert.equal((await reports("ended unexpectedly")).length, 1);
});

test("a server that keeps ending is left alone until the user wants it back", async () => {
  await kill();
  await kill();
  await editor.until("the last report", async () => (await reports("not started again")).length === 1);
  assert.deepEqual(await code.pids(SERVER), []);
  await editor.screenshot("crash-2-given-up");
  const last = editor.page.locator(".notification-toast", { hasText: "not started again" });
  await last.locator(".monaco-button", { hasText: "Restart" }).click();
  await editor.waitForStatus("No model pair");
});

test("a server that does not start is told with its last words", async () => {
  await code.set({ "shiftlens.serverCommand": FAILING });
  await editor.waitForStatus("No server");
  await editor.screenshot("crash-3-no-start");
  const [told] = await editor.until("a report", async () => {
    const texts = await reports("did not start");
    return texts.length > 0 && texts;
  });
  assert.match(told, /exit code 7/);
  assert.match(told, /no memory is left/);
});
