// The reading view: a JSONL file as a page of turns, with colours, hovers, and the way back to the line of the file.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { classified } from "./lib/classes.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON, ROOT } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const THEME = "Default Dark Modern";
/** A log that Inspect wrote: an archive, which no editor shows as text. */
const LOG = join(ROOT, "tests", "transcripts", "data", "inspect.eval");
const NO_LINE = "ShiftLens: what is here has no line of its own in a text file.";
const TALKS = [
  ["What is a bat?", "Great question! A bat is the only mammal that can truly fly.\n\nI hope this helps!"],
  ["What is butter?", "You're welcome! Butter is a solid fat that is made from cream."],
];
const JSONL = TALKS.map(([asked, said]) =>
  JSON.stringify({
    messages: [
      { role: "user", content: asked },
      { role: "assistant", content: said },
    ],
  }),
).join("\n");

let browser;
let code;
let pair;
let editor;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  code = await startVsCode({
    name: "conversation",
    settings: {
      ...pair.settings,
      "shiftlens.interpreter": PYTHON,
      "shiftlens.showUnshifted": true,
      "workbench.colorTheme": THEME,
    },
    files: { "talks.jsonl": `${JSONL}\n`, "log.eval": await readFile(LOG) },
  });
  editor = await openFile(browser, code, "talks.jsonl");
  await editor.waitForStatus("Shifts shown");
});

after(async () => {
  await editor?.screenshot("conversation-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

test("a record file opens as a page of turns, coloured", async () => {
  await editor.command("ShiftLens: Open as Conversation");
  await editor.until("the page", async () => (await editor.lines()).includes("── user ──"));
  await editor.waitForStatus("Shifts shown");
  const lines = await editor.lines();
  assert.ok(lines.includes("━━━━ conversation 1 of 2 · line 1 ━━━━"), lines.join("\n"));
  assert.ok(lines.includes("Great question! A bat is the only mammal that can truly fly."));
  const { line } = await editor.find("Great question!");
  await editor.until("colours on the page", async () => {
    const runs = await classified(editor, THEME, line);
    assert.ok(runs.some((run) => run.class === "shifted"));
    return true;
  });
  await editor.screenshot("conversation-page");
});

test("a hover on the page shows both distributions", async () => {
  const place = await editor.find("Great question!");
  assert.match(await editor.hover(place), /rank/i);
});

test("a page can't be written to", async () => {
  await editor.click(await editor.find("solid fat"));
  const before = await editor.lines();
  await editor.page.keyboard.type("x");
  assert.deepEqual(await editor.lines(), before);
});

test("from the page one comes to the line of the file", async () => {
  await editor.page.keyboard.press("Escape");
  await editor.click(await editor.find("solid fat"));
  await editor.command("ShiftLens: Show in Source File");
  await editor.until("the file", async () => (await editor.lines())[1]?.includes('"What is butter?"'));
  await editor.page.getByText("Ln 2, Col").waitFor();
  await editor.screenshot("conversation-source");
});

test("an archive opens from the Explorer's menu as a page of its samples, coloured", async () => {
  const file = editor.page.locator(".explorer-folders-view .monaco-list-row", { hasText: "log.eval" });
  await file.click({ button: "right" });
  const entry = editor.page.locator(".context-view .action-label", { hasText: "Open as Conversation" });
  await entry.waitFor();
  await editor.screenshot("conversation-menu");
  await entry.click();
  await editor.until("the page", async () => (await editor.lines()).some((line) => line.startsWith("samples/")));
  await editor.waitForStatus("Shifts shown");
  await editor.until("its turns", async () => (await editor.lines()).includes("── system ──"));
  const { line } = await editor.find("a word");
  await editor.until("colours", async () => (await classified(editor, THEME, line)).some((run) => run.class));
  await editor.screenshot("conversation-archive");
  await editor.click(await editor.find("── system ──"));
  await editor.command("ShiftLens: Show in Source File");
  await editor.page.getByText(NO_LINE, { exact: true }).waitFor();
});
