// What was scored elsewhere and saved beside its transcript shows where no torch is installed.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { appendFile, copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { CLASSES } from "./lib/classes.mjs";
import { promised } from "./lib/manifest.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON, ROOT } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const THEME = "Default Dark Modern";
const CHAT = "User: Hi\nAssistant: Great question! The sum of it all.\n";
const SIDECAR = "chat.txt.shiftlens.arrow";
const WITHOUT_MODELS = `
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from without_models import without_models
without_models(Path(sys.argv[2]))
`;

const run = promisify(execFile);
let browser;
let folder;
let pair;
let code;

before(async () => {
  [browser, folder, pair] = await Promise.all([
    startBrowser(),
    mkdtemp(join(tmpdir(), "shiftlens-sidecar-")),
    modelPair(),
  ]);
  // The machine with the models.
  await writeFile(join(folder, "chat.txt"), CHAT);
  const { "shiftlens.base": base, "shiftlens.aligned": aligned, ...settings } = pair.settings;
  const names = ["--base", base, "--aligned", aligned, "--private-engine", "--no-cache"];
  await run(PYTHON, ["-m", "shiftlens", "analyze", "chat.txt", ...names, "--save"], { cwd: folder });
  // The reviewer's.
  const site = join(folder, "site");
  await run(PYTHON, ["-c", WITHOUT_MODELS, join(ROOT, "tests"), site], { cwd: tmpdir() });
  code = await startVsCode({
    name: "sidecar",
    settings: {
      ...settings,
      "workbench.colorTheme": THEME,
      "shiftlens.showUnshifted": true,
      "shiftlens.serverCommand": [PYTHON, "-m", "shiftlens", "serve"],
    },
    files: { "chat.txt": CHAT },
    env: { PYTHONPATH: site },
  });
  await copyFile(join(folder, SIDECAR), join(code.workspace, SIDECAR));
});

after(async () => {
  await browser?.close();
  await code?.stop();
  await pair?.remove();
  await rm(folder, { recursive: true, force: true });
});

test("a file with a sidecar has its colours and hovers without torch and without an engine", async () => {
  const editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Shifts shown");
  const colours = CLASSES.map((kind) => promised(THEME, kind).color);
  await editor.until("colours", async () =>
    (await editor.runs(1)).slice(1).some(({ color }) => colours.includes(color)),
  );
  assert.match(await editor.hover(await editor.find("question")), /Base rank/);
  assert.deepEqual(await code.pids("shiftlens.engine"), []);
  await editor.screenshot("sidecar");
  await editor.close();
});

test("who asks for scores of what changed is told that nothing can be scored there", async () => {
  await appendFile(join(code.workspace, "chat.txt"), "\nUser: And?\nAssistant: No.\n");
  const editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("Scored 1 of 2");
  await editor.command("ShiftLens: Score This File");
  await editor.until("a notification", async () =>
    (await editor.notifications()).some((text) => text.includes("for review only")),
  );
  await editor.screenshot("sidecar-stale");
  await editor.close();
});
