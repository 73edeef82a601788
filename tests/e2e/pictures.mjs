// Takes the pictures of the READMEs and of the walkthrough: `make pictures`, which puts them into extension/media. A
// bundled transcript, scored by the bundled pair.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON, ROOT } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const WHERE = "from shiftlens.bundled.paths import transcripts\nprint(*transcripts(), sep='\\n')";
const NAME = "labels.txt";
const TOKEN = "Certainly";
const RECORDS = "talks.jsonl";
const TALKS = [
  ["What is a bat?", "Great question! A bat is the only mammal that can truly fly. I hope this helps!"],
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
const FADE_MS = 600;
const BELOW_ROWS = 12;
const SETTINGS = {
  "workbench.colorTheme": "Default Light Modern",
  "workbench.activityBar.location": "hidden",
  "editor.wordWrap": "on",
  "editor.minimap.enabled": false,
  "editor.fontSize": 15,
  "window.commandCenter": false,
  "breadcrumbs.enabled": false,
  "editor.hover.above": false,
  "editor.occurrencesHighlight": "off",
  "editor.selectionHighlight": false,
};

const [out = join(ROOT, "extension", "media")] = process.argv.slice(2);
const { stdout } = await promisify(execFile)(PYTHON, ["-c", WHERE], { cwd: tmpdir() });
const path = stdout.split("\n").find((line) => line.endsWith(NAME));
const pair = await modelPair();
const browser = await startBrowser();
const code = await startVsCode({
  name: "pictures",
  settings: { ...pair.settings, "shiftlens.interpreter": PYTHON, ...SETTINGS },
  files: { [NAME]: await readFile(path, "utf8"), [RECORDS]: `${JSONL}\n` },
});
try {
  const editor = await openFile(browser, code, NAME);
  const take = async (name, clip) => {
    await editor.page.waitForTimeout(FADE_MS);
    await editor.page.screenshot({ path: join(out, `${name}.png`), ...(clip ? { clip } : {}) });
  };
  const box = async (selector) => editor.page.locator(selector).first().boundingBox();
  await editor.page.setViewportSize({ width: 1180, height: 760 });
  await editor.waitForStatus("Shifts shown");

  await editor.command("ShiftLens: Focus on Responses View");
  const rows = editor.page.locator(".part.sidebar .monaco-list-row");
  await rows.filter({ hasText: "% shifted" }).first().waitFor();
  const { x, y, width } = await editor.page.locator(".part.sidebar").boundingBox();
  const last = await rows.last().boundingBox();
  await take("responses", { x, y, width, height: last.y + last.height - y + BELOW_ROWS });

  await editor.page.keyboard.press("Control+b");
  await editor.until("the colours", async () => (await editor.runs(2)).some((run) => run.bold));
  await editor.hover(await editor.find(TOKEN));
  await take("transcript");
  await editor.closeHover();

  await editor.command("ShiftLens: Show Token Distributions");
  const panel = editor.page.frameLocator("iframe.webview.ready").frameLocator("#active-frame");
  await editor.click(await editor.find(TOKEN));
  await panel.locator("tr.rest").first().waitFor();
  await take("panel", await box(".part.panel"));
  await editor.page.keyboard.press("Control+j");

  await editor.command("ShiftLens: Toggle Heat");
  await editor.page.getByText("Heat: KL(aligned || base)").waitFor();
  const text = { ...(await box(".editor-instance .lines-content")), width: 1100, height: 350 };
  await take("heat", text);
  await editor.close();

  const records = await openFile(browser, code, RECORDS);
  await records.page.setViewportSize({ width: 1180, height: 420 });
  await records.waitForStatus("Shifts shown");
  await records.page.keyboard.press("Control+b");
  await records.command("ShiftLens: Open as Conversation");
  const { line } = await records.until("the page", () => records.find("Great question!"));
  await records.until("the colours", async () => (await records.runs(line)).some((run) => run.bold));
  await records.page.waitForTimeout(FADE_MS);
  await records.page.screenshot({ path: join(out, "conversation.png") });
} finally {
  await browser.close();
  await code.stop();
  await pair.remove();
}
