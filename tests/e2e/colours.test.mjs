// The way of a transcript through a real editor, a real server and real models: colours, hovers, status, edits.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CLASSES, classesByCommandLine, classified, differences } from "./lib/classes.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

// Each theme's name in settings, and its label in the editor.
const THEMES = {
  "Default Dark Modern": "Dark Modern",
  "Default Light Modern": "Light Modern",
  "Default High Contrast": "Dark High Contrast",
  "Default High Contrast Light": "Light High Contrast",
};
const FIRST = "Default Dark Modern";
const ANSWER = "Great question! The sum of a list is what you get when you add all of its numbers together.";
const CHAT = `User: What is the sum of a list?\nAssistant: ${ANSWER}\nI hope this helps 🙂, dear reader.\n`;

let browser;
let code;
let pair;
let editor;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  code = await startVsCode({
    name: "colours",
    settings: {
      ...pair.settings,
      "shiftlens.interpreter": PYTHON,
      "shiftlens.logLevel": "info",
      "shiftlens.showUnshifted": true,
      "workbench.colorTheme": FIRST,
    },
    files: { "chat.txt": CHAT, "shopping.txt": "Milk, eggs and a loaf of bread.\n" },
  });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
});

after(async () => {
  await editor?.screenshot("last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

async function answerLine() {
  return (await editor.find("Great question")).line;
}

for (const [theme, label] of Object.entries(THEMES)) {
  test(`tokens have the colours that the manifest promises in ${theme}`, async () => {
    await editor.theme(label);
    const line = await answerLine();
    const runs = await editor.until(`the colours of ${theme}`, async () => {
      const found = await classified(editor, theme, line);
      const inAnswer = found.filter(({ column }) => column >= "Assistant: ".length);
      return inAnswer.length > 1 && inAnswer.every((run) => run.class || run.text.trim() === "") && found;
    });
    await editor.screenshot(`colours-${theme.toLowerCase().replaceAll(" ", "-")}`);
    const found = new Set(runs.map((run) => run.class));
    assert.ok(found.size >= 2, `only ${[...found]}`);
    const prompt = await classified(editor, theme, (await editor.find("What is the sum")).line);
    assert.deepEqual(
      prompt.filter((run) => run.class),
      [],
      "the prompt has no colours",
    );
  });
}

test("every token has the class that the command line gives it", async () => {
  await editor.theme(THEMES[FIRST]);
  const expected = await classesByCommandLine(join(code.workspace, "chat.txt"), CHAT, pair.settings);
  assert.ok(expected.some(Boolean));
  await editor.until("the same classes", async () => {
    assert.deepEqual(await differences(editor, FIRST, CHAT, expected), []);
    return true;
  });
});

test("a token's hover names the class that its colour shows, and both models' candidates", async () => {
  const theme = FIRST;
  await editor.theme(THEMES[theme]);
  const line = await answerLine();
  await editor.until("the theme", async () => (await classified(editor, theme, line)).some((run) => run.class));
  const runs = await classified(editor, theme, line);
  for (const kind of CLASSES) {
    const run = runs.find((candidate) => candidate.class === kind && candidate.text.trim() !== "");
    if (!run) {
      continue;
    }
    const column = run.column + run.text.search(/\S/);
    const text = await editor.hover({ line, column });
    assert.match(text, new RegExp(`· ${kind}`), `at "${run.text}"`);
    assert.match(text, /Base rank [\d,]+ .*aligned rank [\d,]+/);
    assert.match(text, /KL\(aligned \|\| base\) [\d.]+ nats/);
    assert.match(text, /base\s+prob\.\s+aligned\s+prob\./);
    assert.match(text, /all others/);
    await editor.screenshot(`hover-${kind}`);
  }
  await editor.closeHover();
});

test("an edit is coloured again, and what follows an emoji keeps its place", async () => {
  const theme = FIRST;
  const { line } = await editor.find("dear reader.");
  await editor.click({ line, column: 3 });
  await editor.page.keyboard.press("End");
  await editor.page.keyboard.type(" Goodbye now!");
  await editor.until("colours on the new text", async () => {
    const runs = await classified(editor, theme, line);
    const text = runs.map((run) => run.text).join("");
    const from = text.indexOf("Goodbye");
    return from > 0 && runs.filter((run) => run.column + run.text.length > from).every((run) => run.class);
  });
  await editor.waitForStatus("Shifts shown");
  const { column } = await editor.find("Goodbye");
  assert.match(await editor.hover({ line, column }), /· (shifted|marginal|unshifted)/);
  await editor.screenshot("after-edit");
  await editor.closeHover();
});

test("next and previous go from shifted token to shifted token", async () => {
  const theme = FIRST;
  const line = await answerLine();
  const first = (await classified(editor, theme, line)).find((run) => run.class === "shifted");
  assert.ok(first, "no shifted token on the answer's first line");
  await editor.click({ line: 0, column: 2 });
  await editor.page.keyboard.press("Alt+F9");
  await editor.until("the first one", async () => (await editor.cursor()).line === line + 1);
  assert.equal((await editor.cursor()).column, first.column + 1);
  await editor.page.keyboard.press("Alt+F9");
  await editor.until("the second one", async () => (await editor.cursor()).column !== first.column + 1);
  await editor.page.keyboard.press("Shift+Alt+F9");
  await editor.until("the first one again", async () => (await editor.cursor()).column === first.column + 1);
});

test("the scores that are kept can be cleared, and the colours stay", async () => {
  const before = await editor.runs(await answerLine());
  await editor.command("File: Save");
  await editor.command("ShiftLens: Clear Cached Scores");
  await editor.until("how many they were", async () =>
    (await editor.notifications()).some((text) => /ShiftLens: [1-9]\d* saved scores removed/.test(text)),
  );
  assert.deepEqual(await editor.runs(await answerLine()), before);
});

test("a file that is not a transcript gets no colours", async () => {
  const other = await openFile(browser, code, "shopping.txt");
  await other.waitForStatus("No transcript");
  assert.equal((await other.runs(0)).length, 1);
  await other.close();
});
