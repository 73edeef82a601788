// What is asked of the models beyond the colours: a token swapped, base contexts side by side, the noise floor.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const HOSTILE = "<img src=x onerror=alert(1)>";
const CHAT = `User: What is a bat?\n\nAssistant: Great question! A bat is ${HOSTILE} the only mammal that can truly fly.\n`;
const PLACE = /^(\d+):(\d+) /;

/** The same conversation, whose front matter names the aligned model as both, given the same: all that differs is noise. */
function withItself(model) {
  const names = [`base: ${model}`, `aligned: ${model}`, "baseContext: chat"];
  return ["---", "shiftlens:", ...names.map((line) => `  ${line}`), "---", CHAT].join("\n");
}

let browser;
let code;
let pair;
let editor;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  code = await startVsCode({
    name: "results",
    settings: { ...pair.settings, "shiftlens.interpreter": PYTHON },
    files: { "chat.txt": CHAT, "same.txt": withItself(pair.settings["shiftlens.aligned"]) },
  });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
});

after(async () => {
  await editor?.screenshot("results-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

/** The lines of the page whose tab is called so, as far as they are on the screen. */
async function page(tab) {
  const group = editor.page.locator(".editor-group-container", {
    has: editor.page.locator(`.tab.active[aria-label*="${tab}"]`),
  });
  return editor.until(`the page ${tab}`, async () => {
    const lines = await group.locator(".view-line").evaluateAll((found) => {
      const top = (line) => Number.parseFloat(line.style.top);
      return found.sort((a, b) => top(a) - top(b)).map((line) => line.textContent.replaceAll("\u00a0", " "));
    });
    return lines.length > 1 && { lines, group };
  });
}

/** Put the cursor into the file, whose tab is the first. */
async function backToTheFile() {
  await editor.command("View: Focus First Editor Group");
}

/** Follow the first link of a page; where it said that it leads. */
async function followFirstLink({ lines, group }) {
  const [, line, column] = PLACE.exec(lines.find((text) => PLACE.test(text))) ?? [];
  await group
    .locator(".view-line .detected-link")
    .first()
    .click({ modifiers: ["ControlOrMeta"] });
  await editor.until("the cursor at the token", async () => {
    const at = await editor.cursor();
    return at.line === Number(line) && at.column === Number(column);
  });
}

test("a token is swapped, and the page has the arms, their texts and the command", async () => {
  const { line, column } = await editor.find("Great");
  await editor.click({ line, column: column + 1 });
  await editor.command("ShiftLens: Did This Token Matter?");
  await editor.rows("the ways to swap", (rows) => rows.some((row) => row.includes("4 continuations")));
  await editor.pick("This token, quickly");
  const shown = await page("did this token matter?");
  await editor.screenshot("results-swapped");
  const text = shown.lines.join("\n");
  assert.match(text, /^Did this token matter\? chat\.txt/);
  assert.match(text, /shiftlens cross-sample .*chat\.txt .*--at \d+ --samples 0 --seed 0/);
  for (const arm of ["swapped", "kept", "reverse", "base"]) {
    assert.match(text, new RegExp(`^${arm} `, "m"));
  }
  await followFirstLink(shown);
});

test("the code lens of a response asks the same of its most shifted tokens", async () => {
  await backToTheFile();
  await editor.page.locator(".codelens-decoration a", { hasText: "did they matter?" }).first().click();
  const rows = await editor.rows("the ways to swap", (found) => found.length === 3);
  assert.ok(rows.every((row) => row.includes("5 most shifted tokens")));
  await editor.pick("The 5 most shifted tokens of this response, quickly");
  // The page before is of one token, and has the same name.
  const shown = await editor.until("a table of several tokens", async () => {
    const found = await page("did this token matter?");
    return found.lines.some((line) => line.startsWith("place ")) && found;
  });
  await editor.screenshot("results-lens");
  assert.ok(shown.lines.filter((line) => PLACE.test(line)).length >= 5);
  await followFirstLink(shown);
});

test("the most shifted tokens are swapped in one go, and the page says which these are", async () => {
  await backToTheFile();
  await editor.page.locator(".codelens-decoration a", { hasText: "did they matter?" }).first().click();
  await editor.rows("the ways to swap", (found) => found.some((row) => row.includes("in one go")));
  await editor.pick("The 5 most shifted tokens in one go");
  const shown = await page("did these tokens matter?");
  await editor.screenshot("results-together");
  const text = shown.lines.join("\n");
  assert.match(text, /^Did these tokens matter\? chat\.txt/);
  assert.match(text, /shiftlens cross-sample .*chat\.txt .*--most 5 --together --samples 4/);
  assert.match(text, /swapped from base rank [\d,]+ on( \(tokens count from 0\))?:/);
  assert.match(text, /token \d+: ".*" instead of ".*" \(base rank [\d,]+\)/);
});

test("base contexts stand side by side, and a changed token leads to its place", async () => {
  await backToTheFile();
  await editor.command("ShiftLens: Compare Base Contexts...");
  await editor.rows("the contexts", (rows) => rows.length === 4);
  await editor.page.keyboard.press("Enter");
  const shown = await page("base contexts");
  await editor.screenshot("results-contexts");
  const text = shown.lines.join("\n");
  for (const context of ["aligntds", "chat", "raw", "few-shot"]) {
    assert.match(text, new RegExp(`^${context} +\\d+ `, "m"));
  }
  assert.match(text, /\d+ of \d+ positions have another class under one than under another/);
  await followFirstLink(shown);
});

test("tokens within the noise floor are listed, and greyed until the list is closed or the text changes", async () => {
  await editor.close();
  editor = await openFile(browser, code, "same.txt");
  await editor.waitForStatus("Shifts shown");
  const grey = () =>
    editor.page.evaluate(() =>
      [...document.querySelectorAll(".view-line span")]
        .filter((span) => getComputedStyle(span).textDecorationStyle === "dotted")
        .map((span) => span.textContent),
    );
  assert.deepEqual(await grey(), []);
  await editor.command("ShiftLens: Measure the Noise Floor...");
  await editor.rows("what to measure against", (rows) => rows.length === 6);
  await editor.pick("In bfloat16");
  const shown = await page("noise floor");
  const found = await editor.until("grey tokens", async () => {
    const tokens = await grey();
    return tokens.length > 0 && tokens;
  });
  await editor.screenshot("results-noise");
  const text = shown.lines.join("\n");
  assert.match(text, /shiftlens noise-floor .*same\.txt .*--against bfloat16/);
  assert.match(text, /Beyond the noise floor: shifted 0 of [1-9]/);
  assert.ok(shown.lines.some((line) => PLACE.test(line)));
  assert.ok(found.join("").length > 3);
  await followFirstLink(shown);
  await editor.command("View: Focus Next Editor Group");
  await editor.command("View: Close Editor");
  await editor.until("no grey tokens", async () => (await grey()).length === 0);

  await editor.command("ShiftLens: Measure the Noise Floor...");
  await editor.pick("In bfloat16");
  await editor.until("grey tokens again", async () => (await grey()).length === found.length);
  await followFirstLink(await page("noise floor"));
  await editor.page.keyboard.type("x");
  await editor.until("no grey tokens in another text", async () => (await grey()).length === 0);
});
