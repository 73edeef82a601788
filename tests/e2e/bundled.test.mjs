// The first thing a new user sees: a transcript that comes with ShiftLens, scored by the pair that comes with it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { classesByCommandLine, differences } from "./lib/classes.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON, ROOT, VSIX } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const LIST = "from shiftlens.bundled.paths import transcripts\nprint(*transcripts(), sep='\\n')";
const THEME = "Default Light Modern";

let browser;
let code;
let pair;
let samples = [];

before(async () => {
  pair = await modelPair();
  const { stdout } = await promisify(execFile)(PYTHON, ["-c", LIST], { cwd: tmpdir() }).catch(() => ({
    stdout: "",
  }));
  const paths = stdout.split("\n").filter(Boolean);
  samples = await Promise.all(paths.map(async (path) => ({ path, text: await readFile(path, "utf8") })));
  if (pair.bundled && samples.length > 0) {
    browser = await startBrowser();
    code = await startVsCode({
      name: "bundled",
      settings: {
        ...pair.settings,
        "shiftlens.interpreter": PYTHON,
        "shiftlens.showUnshifted": true,
        "workbench.colorTheme": THEME,
      },
      files: Object.fromEntries(samples.map(({ path, text }) => [basename(path), text])),
    });
  }
});

after(async () => {
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

test("the extension is as large as its README says", async () => {
  const readme = await readFile(join(ROOT, "extension", "README.md"), "utf8");
  const [, stated] = /The extension itself is (\d+) MB, nearly all of it the Python part/.exec(readme) ?? [];
  const bundled = join(ROOT, "extension", "bundled");
  const wheel = (await readdir(bundled)).find((name) => name.endsWith(".whl"));
  const [whole, part] = await Promise.all(
    [VSIX, join(bundled, wheel)].map(async (path) => (await stat(path)).size),
  );
  assert.equal(String(Math.round(whole / 1e6)), stated);
  assert.ok(part > 0.9 * whole, `${part} of ${whole} bytes`);
});

test("bundled transcripts show, token for token, the classes that the command line gives them", async (context) => {
  if (!code) {
    context.skip("the bundled pair or its transcripts are not there");
    return;
  }
  for (const { path, text } of samples) {
    const editor = await openFile(browser, code, basename(path));
    await editor.waitForStatus("Shifts shown");
    const expected = await classesByCommandLine(path, text, pair.settings);
    await editor.until(`the classes of ${basename(path)}`, async () => {
      assert.deepEqual(await differences(editor, THEME, text, expected), []);
      return true;
    });
    await editor.screenshot(`bundled-${basename(path)}`);
    await editor.close();
  }
});
