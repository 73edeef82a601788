// The report: in a tab of the editor, and saved, as a file that any browser shows without a network.
import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { OUT, PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const HOSTILE = "<img src=x onerror=alert(1)></script>";
const CHAT = `User: Say ${HOSTILE}\nAssistant: Great question! It is ${HOSTILE} as you say.\n`;

let browser;
let code;
let pair;
let editor;
let report;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  const settings = {
    ...pair.settings,
    "shiftlens.stages": [pair.settings["shiftlens.aligned"]],
    "shiftlens.interpreter": PYTHON,
    "files.simpleDialog.enable": true,
  };
  code = await startVsCode({ name: "report", settings, files: { "chat.txt": CHAT } });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("1 stage in hovers");
  await editor.command("ShiftLens: Open Report");
  report = editor.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
});

after(async () => {
  await editor?.screenshot("report-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

/** Both distributions come with the pointer, with the keys, and stay when a token is clicked. */
async function checkCards(page) {
  const tokens = page.locator(".text > .t");
  await tokens.nth(2).hover();
  assert.deepEqual(await page.locator("#card caption").allInnerTexts(), ["Base@10", "Aligned@10"]);
  assert.equal(await page.locator("#card tr.own").count(), 2);
  const facts = (await page.locator("#card li").allInnerTexts()).join("; ");
  assert.match(
    facts,
    /^Base rank [\d,]+ .*; Aligned rank [\d,]+ .*; KL\(aligned \|\| base\) .* nats; Jaccard@10 /,
  );
  const title = page.locator("#card h3");
  const third = await title.innerText();
  await page.locator(".text").first().focus();
  await page.locator(".text").first().press("ArrowRight");
  const fourth = await title.innerText();
  assert.notEqual(fourth, third);
  await page.locator(".text").first().press("Home");
  await tokens.first().click();
  const held = await title.innerText();
  await tokens.nth(5).hover();
  assert.equal(await title.innerText(), held, "a click holds a token");
  await page.locator(".text").first().press("Escape");
  await tokens.nth(2).hover();
  assert.equal(await title.innerText(), third);
}

test("the report opens in a tab, with colours and both distributions", async () => {
  await report.locator("h1", { hasText: "Token distribution shift" }).waitFor();
  assert.equal(
    (await report.locator(".text").first().innerText()).replace("⏎", ""),
    `Great question! It is ${HOSTILE} as you say.■`,
  );
  assert.equal(await report.locator("img").count(), 0);
  await checkCards(report);
  await report.locator("summary", { hasText: "Tokens moved by a stage of tuning" }).click();
  const head = await report.locator("table.moved tr:first-child th").allInnerTexts();
  assert.deepEqual(head, ["position", "token", "base", "stage 1", "first"]);
  await editor.screenshot("report");
});

test("the report is saved where the user says", async () => {
  await editor.command("ShiftLens: Save Report...");
  const input = editor.page.locator(".quick-input-widget input.input");
  await input.waitFor();
  await editor.until("a name", async () => (await input.inputValue()).endsWith("chat.txt.report.html"));
  await editor.page.keyboard.press("Enter");
  const saved = join(code.workspace, "chat.txt.report.html");
  await editor.until("the file", async () => (await stat(saved)).size > 0);
  assert.match(await readFile(saved, "utf8"), /<meta name="generator" content="ShiftLens report /);
});

test("the saved file works by itself, in a light and in a dark system, and on paper", async () => {
  const page = await browser.newPage({ viewport: { width: 1500, height: 1000 } });
  const asked = [];
  const errors = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(error.message));
  const url = pathToFileURL(join(code.workspace, "chat.txt.report.html")).href;
  await page.goto(url);
  await checkCards(page);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: "light" });
  assert.equal(await ground(), "rgb(255, 255, 255)");
  await page.screenshot({ path: join(OUT, "report-light.png"), fullPage: true });
  await page.emulateMedia({ colorScheme: "dark" });
  assert.equal(await ground(), "rgb(23, 25, 28)");
  await page.screenshot({ path: join(OUT, "report-dark.png"), fullPage: true });
  await page.emulateMedia({ media: "print", colorScheme: "dark" });
  assert.equal(await ground(), "rgb(255, 255, 255)");
  assert.ok(!(await page.locator("aside").isVisible()));
  const looks = await page.evaluate(() =>
    ["shifted", "marginal"].map((name) => {
      const style = getComputedStyle(document.querySelector(`.legend .t.${name}`));
      return [style.textDecorationLine, Number(style.fontWeight) >= 600];
    }),
  );
  assert.deepEqual(looks, [
    ["underline", true],
    ["underline", false],
  ]);
  assert.deepEqual(asked, [url], "nothing else is asked for");
  assert.deepEqual(errors, [], "the policy stops nothing of the page's own");
  await page.close();
});
