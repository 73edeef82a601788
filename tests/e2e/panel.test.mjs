// The Token Distributions panel: follows the cursor, and shows nothing that a model or a file says as anything but text.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const HOSTILE = "<img src=x onerror=alert(1)>";
const CHAT = `User: Say ${HOSTILE}\nAssistant: Great question! It is ${HOSTILE} as you say.\n`;

let browser;
let code;
let pair;
let editor;
let panel;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  const settings = { ...pair.settings, "shiftlens.interpreter": PYTHON };
  code = await startVsCode({ name: "panel", settings, files: { "chat.txt": CHAT } });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
  await editor.command("ShiftLens: Show Token Distributions");
  panel = editor.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
});

after(async () => {
  await editor?.screenshot("panel-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

test("the panel shows both models' candidates at the cursor", async () => {
  await editor.click(await editor.find("question!"));
  await panel.locator("h3", { hasText: "Base@" }).first().waitFor();
  await panel.locator("h3", { hasText: "Aligned@" }).first().waitFor();
  assert.equal(await panel.locator("tr.response").count(), 2);
  assert.match(await panel.locator("#spoken").textContent(), /: \w+, base rank \d+, aligned rank \d+$/);
  assert.equal(await panel.locator("tr.rest").count(), 2);
  const shares = await panel.locator("td.prob").allInnerTexts();
  assert.ok(shares.length >= 4 && shares.every((share) => / %$/.test(share)), shares.join());
  assert.match(await panel.locator(".facts").first().innerText(), /KL\(aligned \|\| base\)/);
  await editor.screenshot("panel");
});

test("the panel follows the cursor", async () => {
  const before = await panel.locator("h2").first().innerText();
  await editor.click(await editor.find("you say"));
  await editor.until("another token", async () => (await panel.locator("h2").first().innerText()) !== before);
});

test("what the models read unfolds, markup in it is text", async () => {
  await panel.locator("summary").first().click();
  assert.ok((await panel.locator("pre").first().innerText()).includes(HOSTILE));
  assert.equal(await panel.locator("img").count(), 0);
  await editor.screenshot("panel-prefix");
});

test("the panel's own buttons go to the next shifted token", async () => {
  await editor.click({ line: 0, column: 2 });
  await panel.locator(".hint").waitFor();
  const before = await editor.cursor();
  await panel.locator("#go-next").focus();
  await editor.page.keyboard.press("Enter");
  await editor.until("a move", async () => JSON.stringify(await editor.cursor()) !== JSON.stringify(before));
  await panel.locator(".token.shifted h2").waitFor();
  assert.equal(await panel.locator("#go-next:focus").count(), 1, "the keyboard stays on the button");
});
