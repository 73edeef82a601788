// Takes the README's picture: `node tests/e2e/picture.mjs FILE.png`. A bundled transcript, scored by the bundled pair.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const WHERE = "from shiftlens.bundled.paths import transcripts\nprint(*transcripts(), sep='\\n')";
const NAME = "labels.txt";
const TOKEN = "Certainly";
const FADE_MS = 600;
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

const [out] = process.argv.slice(2);
const { stdout } = await promisify(execFile)(PYTHON, ["-c", WHERE], { cwd: tmpdir() });
const path = stdout.split("\n").find((line) => line.endsWith(NAME));
const pair = await modelPair();
const browser = await startBrowser();
const code = await startVsCode({
  name: "picture",
  settings: { ...pair.settings, "shiftlens.interpreter": PYTHON, ...SETTINGS },
  files: { [NAME]: await readFile(path, "utf8") },
});
try {
  const editor = await openFile(browser, code, NAME);
  await editor.page.setViewportSize({ width: 1180, height: 760 });
  await editor.waitForStatus("Shifts shown");
  await editor.page.keyboard.press("Control+b");
  await editor.until("the colours", async () => (await editor.runs(2)).some((run) => run.bold));
  await editor.hover(await editor.find(TOKEN));
  await editor.page.waitForTimeout(FADE_MS);
  await editor.page.screenshot({ path: out });
} finally {
  await browser.close();
  await code.stop();
  await pair.remove();
}
