// GGUF files are picked in the editor's own dialogs: as the pair, and as what the noise floor is measured against.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON, ROOT } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const CHAT = "User: Why is the sky blue?\nAssistant: Great question! Air scatters blue light.\n";
const STEP_MS = 5_000;
const MAKE = `
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from gguf_files import write_gguf
from shiftlens.bundled.paths import resolve_model_name
folder, base, aligned = Path(sys.argv[2]), sys.argv[3], sys.argv[4]
for name, file, kind in ((base, "base", "F32"), (aligned, "aligned", "F16"), (aligned, "aligned-q8", "Q8_0")):
    write_gguf(Path(resolve_model_name(name)), folder / f"{file}.gguf", kind)
`;

let browser;
let code;
let pair;
let folder;
let editor;

before(async () => {
  [browser, pair, folder] = await Promise.all([
    startBrowser(),
    modelPair(),
    mkdtemp(join(tmpdir(), "shiftlens-gguf-")),
  ]);
  const { "shiftlens.base": base, "shiftlens.aligned": aligned, ...others } = pair.settings;
  // The package `gguf` comes with the interpreter's `shiftlens[dev]`; without it this fails, and says so.
  await promisify(execFile)(PYTHON, ["-c", MAKE, join(ROOT, "tests"), folder, base, aligned], { cwd: tmpdir() });
  const settings = { ...others, "shiftlens.interpreter": PYTHON, "files.simpleDialog.enable": true };
  code = await startVsCode({ name: "gguf", settings, files: { "chat.txt": CHAT } });
  editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("No model pair");
});

after(async () => {
  await editor?.screenshot("gguf-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
  await rm(folder, { recursive: true, force: true });
});

/** Type a path into the dialog with this title, and take the file with its button. */
async function choose(title, path, button) {
  const dialog = editor.page.locator(".quick-input-widget:visible", { hasText: title });
  await dialog.waitFor();
  // The dialog begins in a folder of its own: when it has read that, it writes its path over what was typed, and until
  // then it takes no answer.
  await editor.until(`the end of the dialog "${title}"`, async () => {
    await dialog.locator("input.input").fill(path, { timeout: STEP_MS });
    await editor.rows(`the file ${path}`, (rows) => rows.includes(path.split("/").at(-1)), STEP_MS);
    await editor.screenshot("gguf-dialog");
    await dialog.getByRole("button", { name: button }).click({ timeout: STEP_MS });
    await dialog.waitFor({ state: "hidden", timeout: STEP_MS });
    return true;
  });
}

test("a pair of GGUF files is picked in the dialog, is in the settings, and colours the transcript", async () => {
  const [base, aligned] = [join(folder, "base.gguf"), join(folder, "aligned.gguf")];
  await editor.command("ShiftLens: Choose Model Pair...");
  await editor.rows("the ways to choose", (rows) => rows.some((row) => row.startsWith("From GGUF files")));
  await editor.pick("From GGUF files");
  await choose("Base model (1 of 2)", base, "Choose");
  await choose("Aligned model (2 of 2), made from base.gguf", aligned, "Choose");
  await editor.waitForStatus("Shifts shown");
  const written = JSON.parse(await readFile(join(code.workspace, ".vscode", "settings.json"), "utf8"));
  assert.deepEqual(written, { "shiftlens.base": base, "shiftlens.aligned": aligned });
  const { line, column } = await editor.find("Great question!");
  const colours = new Set((await editor.styles(line)).slice(column).map((style) => style.color));
  assert.ok(colours.size > 1, [...colours].join(", "));
  await editor.command("ShiftLens: Choose Model Pair...");
  const rows = await editor.rows("the pair of before", (shown) => /base.gguf → aligned.gguf/.test(shown[0]));
  assert.match(rows[0], /now, [\d.]+ MB together, GGUF file/);
  await editor.page.keyboard.press("Escape");
});

test("the noise floor is measured against a GGUF file that is picked in the dialog", async () => {
  const file = join(folder, "aligned-q8.gguf");
  await editor.command("ShiftLens: Measure the Noise Floor...");
  await editor.rows("what to measure against", (rows) => rows.length === 6);
  await editor.pick("As a GGUF file has it...");
  await choose("A GGUF file of the aligned model", file, "Measure");
  await editor.page.locator('.tab.active[aria-label*="noise floor"]').waitFor();
  await editor.until("the page", async () =>
    (await editor.page.innerText(".editor-group-container.active")).includes(file.slice(-15)),
  );
});
