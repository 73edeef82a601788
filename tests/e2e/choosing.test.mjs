// From an editor without models to colours, and what a workspace that is not trusted may do.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const CHAT = "User: Hi\nAssistant: Great question! The sum of it all.\n";

let browser;
let pair;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
});

after(async () => {
  await browser?.close();
  await pair?.remove();
});

async function withCode(options, use) {
  const code = await startVsCode(options);
  try {
    await use(code);
  } finally {
    await code.stop();
  }
}

async function answer(editor, text) {
  const input = editor.page.locator(".quick-input-widget input.input");
  await input.fill(text);
  await editor.page.keyboard.press("Enter");
}

test("without models the status says so, and choosing a pair by name brings the colours", async () => {
  const { "shiftlens.base": base, "shiftlens.aligned": aligned } = pair.settings;
  const settings = { "shiftlens.interpreter": PYTHON };
  await withCode({ name: "choosing", settings, files: { "chat.txt": CHAT } }, async (code) => {
    const editor = await openFile(browser, code, "chat.txt");
    await editor.waitForStatus("No model pair");
    await editor.screenshot("no-pair");
    await editor.command("ShiftLens: Choose Model Pair...");
    await editor.pick("By name");
    await editor.page.getByText("Base model (1 of 2)").waitFor();
    await answer(editor, base);
    await editor.page.getByText("Aligned model (2 of 2)").waitFor();
    await answer(editor, aligned);
    await editor.waitForStatus("Shifts shown");
    const written = JSON.parse(await readFile(join(code.workspace, ".vscode", "settings.json"), "utf8"));
    assert.deepEqual(written, { "shiftlens.base": base, "shiftlens.aligned": aligned });
    await editor.close();
  });
});

test("a workspace that is not trusted chooses neither models nor programs", async () => {
  const ofWorkspace = {
    "shiftlens.serverCommand": ["/bin/false"],
    "shiftlens.interpreter": "/nowhere/python",
    "shiftlens.base": "/nowhere/base",
    "shiftlens.aligned": "/nowhere/aligned",
  };
  const settings = {
    "shiftlens.interpreter": PYTHON,
    "security.workspace.trust.enabled": true,
    "security.workspace.trust.startupPrompt": "never",
    "security.workspace.trust.banner": "never",
    "security.workspace.trust.emptyWindow": false,
  };
  const files = { "chat.txt": CHAT, ".vscode/settings.json": JSON.stringify(ofWorkspace) };
  await withCode({ name: "untrusted", settings, files }, async (code) => {
    const editor = await openFile(browser, code, "chat.txt");
    await editor.page.getByText("Restricted Mode").first().waitFor();
    // The server of the user's own settings answers; the workspace's models are as if they were not named.
    await editor.waitForStatus("No model pair");
    await editor.screenshot("untrusted");
    await editor.close();
  });
});
