// The extension on a machine that has no server: it says so once, says what to do, and is silent otherwise.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

/** How long a list may take to open before it is asked for again. */
const LIST_MS = 20_000;

let browser;
let code;

before(async () => {
  browser = await startBrowser();
  code = await startVsCode({
    name: "no-server",
    // Node must be found, a `shiftlens` of this machine must not.
    env: { PATH: "/usr/bin:/bin" },
    files: { "chat.txt": "User: Hello\nAssistant: Hi there\n" },
  });
});

after(async () => {
  await browser?.close();
  await code?.stop();
});

test("without a server, one notification says what is missing and what to do", async () => {
  const editor = await openFile(browser, code, "chat.txt");
  const [text, ...more] = await editor.until("a notification", async () => {
    const shown = (await editor.notifications()).filter((message) => message.includes("ShiftLens"));
    return shown.length > 0 && shown;
  });
  assert.deepEqual(more, []);
  assert.match(text, /needs its Python part/);
  assert.match(text, /not on the PATH/);
  assert.match(await editor.waitForStatus("No server"), /ShiftLens/);
  await editor.screenshot("no-server");
  await editor.close();
});

test("the status item offers to install", async () => {
  const editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("No server");
  await (await editor.openStatus()).getByRole("button", { name: "Install" }).waitFor();
  await editor.screenshot("no-server-status");
  await editor.close();
});

test("an interpreter that can't be run, or lacks the package, is named, and another can be chosen", async () => {
  const editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("No server");
  const told = (words) =>
    editor.until(words, async () => (await editor.notifications()).some((message) => message.includes(words)));
  await code.set({ "shiftlens.interpreter": "/nowhere/python" });
  await told("/nowhere/python (shiftlens.interpreter) can't be run");
  // A list closes where the focus goes elsewhere, as when the card of the status closes behind it.
  const rows = await editor.until("Pythons", async () => {
    await (await editor.openStatus())
      .getByRole("button", { name: "Choose Interpreter" })
      .click({ timeout: LIST_MS });
    return editor.rows("Pythons", (all) => all.some((row) => row.startsWith("Enter a path")), LIST_MS);
  });
  await editor.screenshot("choose-interpreter");
  assert.ok(rows.some((row) => row.startsWith("Let ShiftLens find one by itself")));
  const [python] = rows.filter((row) => row.startsWith("Python 3"));
  if (python) {
    assert.match(python, /does not have shiftlens/);
    await editor.page.locator(".quick-input-list .monaco-list-row", { hasText: "Python 3" }).first().click();
    await told("does not have the package shiftlens");
    await editor.command("ShiftLens: Choose Python Interpreter...");
    await editor.rows("Pythons", (all) => all.some((row) => row.startsWith("Enter a path")));
  }
  await editor.pick("Enter a path...");
  await editor.page.getByText("Path of a Python that has the package").waitFor();
  await editor.page.locator(".quick-input-widget input.input").fill(PYTHON);
  await editor.page.keyboard.press("Enter");
  await editor.waitForStatus("No model pair");
  await editor.close();
});
