// Several tuned models of one base: a hover and the panel have a row for each, and say which was the first to move a token.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const CHAT = "User: What is a bat?\nAssistant: Great question! A bat is the only mammal that can truly fly.\n";

let browser;
let code;
let pair;
let editor;
let panel;
let stages;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  // Where both read the same text, the base model itself moves nothing, so that the aligned model is the first to.
  stages = [pair.settings["shiftlens.base"], pair.settings["shiftlens.aligned"]];
  const settings = {
    ...pair.settings,
    "shiftlens.stages": stages,
    "shiftlens.baseContext": "raw",
    "shiftlens.alignedContext": "raw",
    "shiftlens.interpreter": PYTHON,
  };
  code = await startVsCode({ name: "stages", settings, files: { "chat.txt": CHAT } });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("2 stages");
  await editor.command("ShiftLens: Show Token Distributions");
  panel = editor.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
});

after(async () => {
  await editor?.screenshot("stages-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

test("the panel has a row for each stage below both tables, and the first that moved the token", async () => {
  await editor.click(await editor.find("question!"));
  const rows = panel.locator(".stages tr.stage");
  await rows.first().waitFor();
  assert.deepEqual(await rows.locator("td.model").allInnerTexts(), stages);
  assert.equal(await panel.locator(".stages .first").first().innerText(), "First moved by stage 2.");
  assert.deepEqual(await panel.locator("tr.moved-first td.model").allInnerTexts(), [stages[1]]);
  // What the first stage gives is what the table of the base model has for the token, and so with the aligned model.
  const own = await panel.locator("tr.response td.prob").allInnerTexts();
  assert.deepEqual(await rows.locator("td.prob").allInnerTexts(), own);
  await editor.screenshot("stages-panel");
});

test("a hover has the same rows", async () => {
  const text = await editor.hover(await editor.find("question!"));
  assert.match(text, /stage\s+model\s+rank\s+prob\./);
  assert.match(text, /First moved by stage 2\./);
  await editor.screenshot("stages-hover");
  await editor.closeHover();
});
