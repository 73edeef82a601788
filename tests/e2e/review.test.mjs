// What helps a reviewer to find what matters: lenses, hints, problems, and going from token to token and run to run.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { classified } from "./lib/classes.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const THEME = "Default Dark Modern";
const CHAT = [
  "User: What is a bat?",
  "Assistant: Great question! A bat is the only mammal that can truly fly.",
  "It hunts at night and finds its way by listening to echoes, and most bats eat insects.",
  "I hope this helps!",
  "",
].join("\n");
const FIRST_LINE = 1;
const LENS = ".editor-instance .codelens-decoration";
const PEEK = ".editor-instance .zone-widget .message";

let browser;
let code;
let pair;
let editor;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  code = await startVsCode({
    name: "review",
    settings: { ...pair.settings, "shiftlens.interpreter": PYTHON, "workbench.colorTheme": THEME },
    files: { "chat.txt": CHAT },
  });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
});

after(async () => {
  await editor?.screenshot("review-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

/** The shifted text of the response, in its order: `line` and `column`, both from 1, and `text`. */
async function shiftedText() {
  const lines = await editor.lines();
  const found = [];
  for (let line = FIRST_LINE; line < lines.length; line++) {
    const runs = await classified(editor, THEME, line);
    const shifted = runs.filter((run) => run.class === "shifted");
    found.push(...shifted.map(({ column, text }) => ({ line: line + 1, column: column + 1, text })));
  }
  return found;
}

/** A key that comes before the editor has taken the click would count from where the cursor was. */
async function clickAtTheStart() {
  await editor.click({ line: 0, column: 2 });
  await cursorAt("the start of the file", { line: 1, column: 3 });
}

async function cursorAt(what, { line, column }) {
  await editor.until(what, async () => {
    const found = await editor.cursor();
    if (found.line !== line || found.column !== column) {
      throw new Error(`the cursor is at ${JSON.stringify(found)}, not ${JSON.stringify({ line, column })}`);
    }
    return true;
  });
}

test("above the response stand its tokens, its shares and its densest run", async () => {
  const lens = editor.page.locator(LENS);
  await lens.first().waitFor();
  const text = await editor.until("shares", async () => {
    const shown = (await lens.allInnerTexts()).join("\n").replaceAll("\u00a0", " ");
    return /\d+ tokens: [\d.]+% shifted, [\d.]+% marginal, [\d.]+% unshifted/.test(shown) && shown;
  });
  await editor.screenshot("review-lens");
  assert.match(text, /densest run: \d+ tokens, \d+ shifted/);
  assert.match(text, /report/);
});

test("the lens of the densest run goes there", async () => {
  await editor.click({ line: 0, column: 2 });
  await editor.page.locator(LENS).getByText("densest run").click();
  const shifted = await shiftedText();
  await editor.until("the cursor at the beginning of shifted text", async () => {
    const found = await editor.cursor();
    if (!shifted.some(({ line, column }) => line === found.line && column === found.column)) {
      throw new Error(`${JSON.stringify(found)} is none of ${JSON.stringify(shifted)}`);
    }
    return true;
  });
});

test("the lens of the shares opens the distributions at the response", async () => {
  await editor.click({ line: 0, column: 2 });
  await editor.page.locator(LENS).getByText("tokens:").click();
  await cursorAt("the beginning of the response", { line: FIRST_LINE + 1, column: "Assistant: ".length + 1 });
  await editor.page.locator(".part.panel", { hasText: "Token Distributions" }).waitFor();
  // The panel has the focus, and a key that comes while its page is still loading goes nowhere.
  await editor.command("View: Hide Panel");
  await editor.page.locator(".part.panel").waitFor({ state: "hidden" });
});

test("a key goes to the next shifted token, another to the next run, and both back", async () => {
  const [first] = await shiftedText();
  await clickAtTheStart();
  await editor.page.keyboard.press("Alt+F9");
  await cursorAt("the first shifted token", first);
  await clickAtTheStart();
  await editor.page.keyboard.press("Control+F9");
  await cursorAt("the first run, which begins with that token", first);
  await editor.page.getByText(/ShiftLens: \d+ of \d+ tokens are shifted/).waitFor();
  await editor.page.keyboard.press("Control+F9");
  const second = await editor.until("the second run", async () => {
    const at = await editor.cursor();
    return (at.line !== first.line || at.column !== first.column) && at;
  });
  // Quicker than answers come: each key counts from where the one before it led.
  await editor.page.keyboard.press("Alt+F9");
  await editor.page.keyboard.press("Alt+F9");
  await editor.page.keyboard.press("Shift+Alt+F9");
  await editor.page.keyboard.press("Shift+Alt+F9");
  await cursorAt("the beginning of the second run again", second);
  await editor.page.keyboard.press("Control+Shift+F9");
  await cursorAt("the first run again", first);
});

test("behind shifted tokens stands what the base model would have said, as long as it is asked for", async () => {
  const hinted = async () => (await editor.lines()).filter((line) => /base: /.test(line)).length;
  assert.equal(await hinted(), 0);
  await editor.command("ShiftLens: Toggle the Base Model's Choices in the Text");
  await editor.until("hints", async () => (await hinted()) > 0);
  await editor.screenshot("review-hints");
  assert.match((await editor.lines())[FIRST_LINE], /base: .+ [\d.]+ ?%/);
  await editor.command("ShiftLens: Toggle the Base Model's Choices in the Text");
  await editor.until("no hints", async () => (await hinted()) === 0);
});

test("as problems, F8 goes from run to run, and says what the base model would have said", async () => {
  const [first] = await shiftedText();
  await editor.command("ShiftLens: Toggle Runs of Shifted Tokens as Problems");
  const problems = editor.page.locator(".editor-instance .squiggly-info");
  await problems.first().waitFor();
  await editor.click({ line: 0, column: 2 });
  await editor.page.keyboard.press("F8");
  await cursorAt("the first run", first);
  const peek = editor.page.locator(PEEK);
  await peek.first().waitFor();
  await editor.screenshot("review-problems");
  assert.match((await peek.first().innerText()).replaceAll("\u00a0", " "), /\d+ tokens?, \d+ shifted/);
  await editor.page.keyboard.press("F8");
  await editor.until("the second run", async () => {
    const at = await editor.cursor();
    return at.line !== first.line || at.column !== first.column;
  });
  await editor.page.keyboard.press("Escape");
  await editor.command("ShiftLens: Toggle Runs of Shifted Tokens as Problems");
  await editor.until("no problems", async () => (await problems.count()) === 0);
});

test("the lens of the report opens it", async () => {
  await editor.page.locator(LENS).getByText("report", { exact: true }).click();
  await editor.page.locator(".tab", { hasText: "Report: chat.txt" }).waitFor();
});
