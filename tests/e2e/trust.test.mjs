// What a workspace that is not trusted may do: be read, and be coloured from scores of before. It chooses nothing.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { CLASSES } from "./lib/classes.mjs";
import { promised } from "./lib/manifest.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { saveRandomPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const THEME = "Default Dark Modern";
const CHAT = "User: Hi\nAssistant: Great question! The sum of it all.\n";
const RESTRICTED = {
  "security.workspace.trust.enabled": true,
  "security.workspace.trust.startupPrompt": "never",
  "security.workspace.trust.banner": "never",
  "security.workspace.trust.emptyWindow": false,
};

let browser;
let folder;

before(async () => {
  [browser, folder] = await Promise.all([startBrowser(), mkdtemp(join(tmpdir(), "shiftlens-trust-"))]);
  await saveRandomPair(folder);
});

after(async () => {
  await browser?.close();
  await rm(folder, { recursive: true, force: true });
});

/** An editor on a restricted workspace with settings of its own. */
async function restricted({ name, settings = {}, ofWorkspace, env }, use) {
  const files = { "chat.txt": CHAT, ".vscode/settings.json": JSON.stringify(ofWorkspace) };
  const code = await startVsCode({ name, settings: { ...RESTRICTED, ...settings }, files, env });
  try {
    const editor = await openFile(browser, code, "chat.txt");
    await editor.page.getByText("Restricted Mode").first().waitFor();
    await use(editor, code);
    await editor.screenshot(name);
    await editor.close();
  } finally {
    await code.stop();
  }
}

test("a workspace that is not trusted chooses neither models nor programs", async () => {
  const settings = { "shiftlens.interpreter": PYTHON };
  const ofWorkspace = {
    "shiftlens.serverCommand": ["/bin/false"],
    "shiftlens.interpreter": "/nowhere/python",
    "shiftlens.base": "/nowhere/base",
    "shiftlens.aligned": "/nowhere/aligned",
  };
  await restricted({ name: "untrusted", settings, ofWorkspace }, async (editor) => {
    // The server of the user's own settings answers; the workspace's models are as if they were not named.
    await editor.waitForStatus("No model pair");
  });
});

test("it is coloured from the scores of before, and no model is loaded for it", async () => {
  const pair = { base: join(folder, "base"), aligned: join(folder, "aligned") };
  const cache = join(folder, "cache");
  await mkdir(cache);
  const chat = join(folder, "chat.txt");
  await writeFile(chat, CHAT);
  await promisify(execFile)(
    PYTHON,
    ["-m", "shiftlens", "analyze", chat, "--base", pair.base, "--aligned", pair.aligned],
    { cwd: folder, env: { ...process.env, SHIFTLENS_CACHE_DIR: cache } },
  );
  const settings = {
    "shiftlens.interpreter": PYTHON,
    "shiftlens.base": pair.base,
    "shiftlens.aligned": pair.aligned,
    "shiftlens.showUnshifted": true,
    "workbench.colorTheme": THEME,
  };
  const ofWorkspace = { "shiftlens.base": "/nowhere/base", "shiftlens.aligned": "/nowhere/aligned" };
  const options = { name: "untrusted-stored", settings, ofWorkspace, env: { SHIFTLENS_CACHE_DIR: cache } };
  await restricted(options, async (editor, code) => {
    await editor.waitForStatus("Shifts shown");
    const colours = CLASSES.map((kind) => promised(THEME, kind).color);
    await editor.until("colours", async () =>
      (await editor.runs(1)).slice(1).some((run) => colours.includes(run.color)),
    );
    assert.match(await editor.hover(await editor.find("question")), /Base rank/);
    await editor.closeHover();
    await editor.click(await editor.find("sum"));
    await editor.page.keyboard.type("new ");
    await editor.waitForStatus("Not scored");
    assert.match(await editor.status(), /not trusted/);
    assert.deepEqual(await code.pids("shiftlens.engine"), []);
  });
});

test("its interpreter is neither started nor installed with, until the workspace is trusted", async () => {
  // Node must be found, a `shiftlens` of this machine must not.
  const env = { PATH: "/usr/bin:/bin" };
  const ofWorkspace = { "shiftlens.interpreter": PYTHON, "shiftlens.installArguments": ["--evil"] };
  await restricted({ name: "untrusted-interpreter", ofWorkspace, env }, async (editor, code) => {
    await editor.waitForStatus("No server");
    const shown = await editor.until("a notification", async () => {
      const texts = (await editor.notifications()).filter((text) => text.includes("ShiftLens"));
      return texts.length > 0 && texts;
    });
    assert.match(shown[0], /no Python interpreter is set/);
    await editor.command("ShiftLens: Install Server");
    const box = editor.page.locator(".monaco-dialog-box");
    await box.waitFor();
    assert.ok(!(await box.innerText()).includes(PYTHON), "the workspace's Python installs nothing");
    await editor.screenshot("untrusted-install");
    await box.locator(".monaco-button", { hasText: "Cancel" }).click();
    assert.deepEqual(await code.pids("shiftlens serve"), []);
    await editor.command("Workspaces: Manage Workspace Trust");
    await editor.page
      .locator(".workspace-trust-editor .monaco-button", { hasText: /^Trust$/ })
      .first()
      .click();
    await editor.until(
      "the workspace's own server",
      async () => (await code.pids("shiftlens serve")).length === 1,
    );
  });
});
