// Scoring by hand: one response, those of a selection, then the rest. What was not asked for keeps its look.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { classified } from "./lib/classes.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const THEME = "Default Dark Modern";
const COMMAND = "Score Selection or Response at Cursor";
const CHAT = [
  "User: What is a bat?",
  "Assistant: Great question! A bat is the only mammal that can truly fly.",
  "User: What is butter?",
  "Assistant: You're welcome! Butter is a solid fat that is made from cream.",
  "User: And the range function?",
  "Assistant: Certainly! The start is included, but the stop is not.",
  "User: Thanks.",
  "Assistant: I hope this helps!",
  "",
].join("\n");
const ANSWERS = [1, 3, 5, 7];

let browser;
let code;
let pair;
let editor;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  code = await startVsCode({
    name: "selection",
    settings: {
      ...pair.settings,
      "shiftlens.interpreter": PYTHON,
      "shiftlens.runPolicy": "manual",
      "shiftlens.showUnshifted": true,
      "workbench.colorTheme": THEME,
    },
    files: { "chat.txt": CHAT },
  });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Not scored");
});

after(async () => {
  await editor?.screenshot("selection-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

async function colouredLines() {
  const found = await Promise.all(
    ANSWERS.map(async (line) => (await classified(editor, THEME, line)).some((run) => run.class)),
  );
  return ANSWERS.filter((_, at) => found[at]);
}

async function untilColoured(...lines) {
  await editor.until(`colours on ${lines} alone`, async () => {
    assert.deepEqual(await colouredLines(), lines);
    return true;
  });
}

async function openContextMenu(text) {
  const place = await editor.find(text);
  const box = await editor.charBox(place);
  await editor.page.mouse.click(box.x + 1, box.y + box.height / 2, { button: "right" });
  await editor.page.locator(".context-view .action-label", { hasText: "Command Palette" }).waitFor();
  return editor.page.locator(".context-view .action-label", { hasText: COMMAND });
}

test("under the policy manual nothing is scored until it is asked for", async () => {
  assert.deepEqual(await colouredLines(), []);
  await editor.screenshot("selection-1-not-scored");
});

test("the response at the cursor is scored, and no other", async () => {
  await editor.click(await editor.find("solid fat"));
  await editor.command(`ShiftLens: ${COMMAND}`);
  await editor.waitForStatus("Scored 1 of 4");
  await untilColoured(3);
  await editor.screenshot("selection-2-one");
});

test("the editor's own menu scores the response that was clicked on", async () => {
  const entry = await openContextMenu("included");
  await editor.screenshot("selection-3-menu");
  await entry.click();
  await editor.waitForStatus("Scored 2 of 4");
  await untilColoured(3, 5);
});

test("a place outside of responses is told to be one", async () => {
  await editor.click(await editor.find("What is butter"));
  await editor.command(`ShiftLens: ${COMMAND}`);
  await editor.page.getByText("no response of a model is here").waitFor();
  await editor.waitForStatus("Scored 2 of 4");
});

test("the Responses view offers to score what is not scored", async () => {
  const view = await editor.responses();
  const row = view.locator(".monaco-list-row", { hasText: "Thanks." });
  await row.waitFor();
  assert.match(await row.innerText(), /^not scored/);
  await row.hover();
  await editor.screenshot("selection-4-responses");
  await row.getByRole("button", { name: "Score This Response" }).click();
  await editor.waitForStatus("Scored 3 of 4");
  await untilColoured(3, 5, 7);
  const scored = view.locator(".monaco-list-row", { hasText: "What is butter?" });
  await scored.hover();
  assert.equal(await scored.getByRole("button", { name: "Score This Response" }).count(), 0);
});

test("a selection over a response and its neighbours scores what is missing, and the menu then has no entry", async () => {
  await editor.click({ line: 0, column: 2 });
  const end = await editor.charBox(await editor.find("welcome"));
  await editor.page.keyboard.down("Shift");
  await editor.page.mouse.click(end.x + 1, end.y + end.height / 2);
  await editor.page.keyboard.up("Shift");
  await editor.command(`ShiftLens: ${COMMAND}`);
  await editor.waitForStatus("Shifts shown");
  await untilColoured(...ANSWERS);
  assert.equal(await (await openContextMenu("included")).count(), 0);
  await editor.page.keyboard.press("Escape");
});
