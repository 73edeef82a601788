// What a model would have said: as a difference to the response, written beside it in the file, and as ghost text.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const CHAT = "User: What is a bat?\n\nAssistant: Great question! A bat is the only mammal that can truly fly.\n";
const RESPONSE = "Great question!";
const MODIFIED = ".monaco-diff-editor .editor.modified";
const ORIGINAL = ".monaco-diff-editor .editor.original";

let browser;
let code;
let pair;
let editor;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  code = await startVsCode({
    name: "continuation",
    settings: {
      ...pair.settings,
      "shiftlens.interpreter": PYTHON,
      "shiftlens.inlineCompletions": true,
      "diffEditor.renderSideBySide": true,
    },
    files: { "chat.txt": CHAT },
  });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
});

after(async () => {
  await editor?.screenshot("continuation-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

/** The text of a side of the difference; the editor draws spaces as no-break ones. */
async function sideOf(selector) {
  const lines = await editor.page.locator(`${selector} .view-line`).allInnerTexts();
  return lines.join("\n").replaceAll("\u00a0", " ");
}

async function cursorAtTheResponse() {
  const { line, column } = await editor.find(RESPONSE);
  await editor.click({ line, column });
  await editor.until("the cursor where the response begins", async () => {
    const at = await editor.cursor();
    return at.line === line + 1 && at.column === column + 1;
  });
}

test("where a token begins, what the base model would have said can be had as ghost text", async () => {
  await cursorAtTheResponse();
  await editor.command("Trigger Inline Suggestion");
  const ghost = editor.page.locator(".editor-instance .ghost-text, .editor-instance .ghost-text-decoration");
  await ghost.first().waitFor();
  await editor.screenshot("continuation-ghost");
  assert.ok((await ghost.allInnerTexts()).join("").trim().length > 0);
  await editor.page.keyboard.press("Escape");
  await ghost.first().waitFor({ state: "hidden" });
});

test("a continuation stands beside what the response says, and goes into the file as an alternative", async () => {
  await cursorAtTheResponse();
  await editor.command("ShiftLens: Compare with a Model's Continuation...");
  await editor.rows("the models", (rows) => rows.length === 3);
  await editor.pick("Base model");
  const written = await editor.until("both sides", async () => {
    const [said, text] = [await sideOf(ORIGINAL), await sideOf(MODIFIED)];
    return said.startsWith(RESPONSE) && text.trim().length > 0 && text;
  });
  await editor.page.getByText(/ShiftLens: Base model: (it ends|cut)/).waitFor();
  await editor.screenshot("continuation-diff");
  assert.ok(!written.startsWith(RESPONSE));

  await editor.command("ShiftLens: Insert the Continuation as an Alternative");
  await editor.page
    .getByText(/The alternative was written as a further exchange behind the response/)
    .first()
    .waitFor();
  await editor.page.keyboard.press("Control+s");
  const file = await editor.until("the file with the alternative", async () => {
    const text = await readFile(join(code.workspace, "chat.txt"), "utf8");
    return text.length > CHAT.length && text;
  });
  await editor.screenshot("continuation-inserted");
  assert.ok(file.startsWith(CHAT.trimEnd()));
  assert.match(file.slice(CHAT.trimEnd().length), /^\n\nUser: What is a bat\?\n\nAssistant: \S/);
});
