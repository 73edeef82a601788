// A new user: the extension, a Python, nothing else. Runs pip for real, and so only where it is asked for
// (SHIFTLENS_E2E_INSTALL=1, `make e2e-install`).
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { promised } from "./lib/manifest.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const WANTED = Boolean(process.env.SHIFTLENS_E2E_INSTALL);
const THEME = "Default Dark Modern";
const BASE_PYTHON = "import os, sys; print(os.path.realpath(sys._base_executable))";
const MINUTES = 60_000;

let browser;
let code;
let programs;
let editor;

before(async () => {
  if (!WANTED) {
    return;
  }
  // A PATH with a Python that lacks the package, and without a `shiftlens` of this machine.
  programs = await mkdtemp(join(tmpdir(), "shiftlens-path-"));
  const { stdout } = await promisify(execFile)(PYTHON, ["-c", BASE_PYTHON], { cwd: tmpdir() });
  await symlink(stdout.trim(), join(programs, "python"));
  // A Python that is too broken to be of use comes first, as the stub of an app shop does.
  await writeFile(join(programs, "python3"), "#!/bin/sh\nexit 9\n");
  await chmod(join(programs, "python3"), 0o755);
  browser = await startBrowser();
  code = await startVsCode({
    name: "install",
    settings: { "workbench.colorTheme": THEME },
    env: { PATH: `${programs}:/usr/bin:/bin` },
    files: { "chat.txt": "User: Hi\nAssistant: Great question! The sum of it all.\n" },
  });
  editor = await openFile(browser, code, "chat.txt");
});

after(async () => {
  await browser?.close();
  await code?.stop();
  if (programs) {
    await rm(programs, { recursive: true, force: true });
  }
});

const wanted = { skip: WANTED ? false : "set SHIFTLENS_E2E_INSTALL=1 to have it install for real" };

/** Press a button of the notification or of the dialog that is shown. */
async function press(label) {
  const button = editor.page.locator(".notification-toast .monaco-button, .monaco-dialog-box .monaco-button");
  await button.filter({ hasText: label }).first().click();
}

async function dialog() {
  const box = editor.page.locator(".monaco-dialog-box");
  await box.waitFor();
  return box.innerText();
}

async function installations() {
  const storage = join(code.userData, "User", "globalStorage", "shiftlens.shiftlens", "server");
  return readdir(storage).catch(() => []);
}

/** pip is in a group of its own; its command line names a folder of this editor. */
async function pipRuns() {
  const pattern = `${code.userData}.*-m pip install`;
  return promisify(execFile)("pgrep", ["-f", pattern]).then(
    () => true,
    () => false,
  );
}

test("without a server, one notification offers to install it, and asks before it does", wanted, async () => {
  await editor.waitForStatus("No server");
  const shown = await editor.until("a notification", async () => {
    const texts = (await editor.notifications()).filter((text) => text.includes("ShiftLens"));
    return texts.length > 0 && texts;
  });
  assert.equal(shown.length, 1);
  assert.match(shown[0], /needs its Python part/);
  await editor.screenshot("install-1-offer");
  await press("Install ShiftLens");
  const asked = await dialog();
  assert.match(asked, /PyTorch/);
  assert.match(asked, /GB/);
  await editor.screenshot("install-2-question");
});

test("an installation that is cancelled leaves nothing behind", wanted, async () => {
  await press("Install");
  await editor.until("the work", async () => (await installations()).length === 1);
  await editor.until("pip", pipRuns);
  await editor.screenshot("install-3-progress");
  await press("Cancel");
  await editor.until("its end", async () => !(await pipRuns()));
  await editor.until("nothing left", async () => (await installations()).length === 0);
});

test("installing brings a server, and the bundled pair then brings colours", wanted, async () => {
  await editor.command("ShiftLens: Install Server");
  await dialog();
  await press("Install");
  await editor.until("the work", async () => (await installations()).length === 1);
  await editor.until(
    "the end of pip",
    async () => {
      const texts = await editor.notifications();
      const failure = texts.find((text) => text.includes("could not be installed"));
      assert.ok(!failure, failure);
      return texts.some((text) => text.includes("ShiftLens is installed"));
    },
    10 * MINUTES,
  );
  const [folder, ...more] = await installations();
  assert.deepEqual(more, []);
  assert.doesNotMatch(folder, /~/);
  await editor.screenshot("install-4-installed");
  await press("Use the bundled pair");
  await editor.waitForStatus("Shifts shown");
  await editor.until("colours", async () => {
    const colours = new Set((await editor.runs(1)).map(({ color }) => color));
    return ["shifted", "unshifted"].some((kind) => colours.has(promised(THEME, kind).color));
  });
  await editor.screenshot("install-5-colours");
});

test("the installed server is found again by the next window", wanted, async () => {
  await editor.close();
  editor = await openFile(browser, code, "chat.txt");
  await editor.until("the server", async () => {
    const status = await editor.status();
    return /Shifts shown|No model pair/.test(status);
  });
  assert.ok(!(await editor.notifications()).some((text) => text.includes("Python part")));
});

test("removing takes everything away", wanted, async () => {
  await editor.command("ShiftLens: Remove Installed Server");
  await dialog();
  await editor.screenshot("install-6-remove");
  await press("Remove");
  await editor.until("nothing left", async () => (await installations()).length === 0);
  await editor.waitForStatus("No server");
  await editor.screenshot("install-7-removed");
});
