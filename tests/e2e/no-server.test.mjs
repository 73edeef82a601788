// The extension on a machine that has no server: it says so once, says what to do, and is silent otherwise.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { startVsCode } from "./lib/vscode.mjs";

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

test("an interpreter that can't be run is named", async () => {
  const editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("No server");
  await code.set({ "shiftlens.interpreter": "/nowhere/python" });
  await editor.until("its name", async () =>
    (await editor.notifications()).some((message) => message.includes("/nowhere/python")),
  );
  await editor.close();
});
