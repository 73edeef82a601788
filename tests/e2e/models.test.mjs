// Pairs that have models in common: one engine for all windows, each model in its memory once.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { openFile, startBrowser } from "./lib/page.mjs";
import { saveRandomPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const run = promisify(execFile);
const ENGINE = "shiftlens[.]engine( --[a-z-]+)?$";
const LOOK = `
import asyncio, json
from shiftlens.engine.sharing.running import running_engines
print(json.dumps([engine.as_json() for engine in asyncio.run(running_engines())]))
`;
const TUNED = ["sft", "dpo", "rl"];

let browser;
let folder;
let code;

before(async () => {
  [browser, folder] = await Promise.all([startBrowser(), mkdtemp(join(tmpdir(), "shiftlens-stages-"))]);
  await saveRandomPair(folder);
  await Promise.all(TUNED.map((name) => cp(join(folder, "aligned"), join(folder, name), { recursive: true })));
  const chat = (name) =>
    `---\nshiftlens:\n  aligned: ${join(folder, name)}\n---\nUser: Hi\nAssistant: Of ${name}.\n`;
  const files = Object.fromEntries(TUNED.map((name) => [`${name}.txt`, chat(name)]));
  files["chat.txt"] = "User: Hi\nAssistant: Of no model in particular.\n";
  const settings = {
    "shiftlens.interpreter": PYTHON,
    "shiftlens.base": join(folder, "base"),
    // Else a window that comes later finds all scores, and needs no engine.
    "shiftlens.resultCache": false,
  };
  code = await startVsCode({ name: "models", settings, files });
});

after(async () => {
  await browser?.close();
  await code?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The engines where this editor's are met, as `shiftlens doctor` tells them, which would load a pair of its own. */
async function engines() {
  const env = { ...process.env, SHIFTLENS_RUNTIME_DIR: code.runtime };
  const { stdout } = await run(PYTHON, ["-c", LOOK], { env, cwd: tmpdir() });
  return JSON.parse(stdout);
}

/** The settings of the workspace, which an editor takes while it runs. */
async function choose(name) {
  await mkdir(join(code.workspace, ".vscode"), { recursive: true });
  const settings = JSON.stringify({ "shiftlens.aligned": join(folder, name) });
  await writeFile(join(code.workspace, ".vscode", "settings.json"), settings);
}

async function scored(name) {
  const editor = await openFile(browser, code, `${name}.txt`);
  await editor.waitForStatus("Shifts shown");
  return editor;
}

test("a window that goes through three pairs of one base has each model once in one engine", async () => {
  const editor = await openFile(browser, code, "chat.txt");
  await editor.waitForStatus("No model pair");
  let engine;
  for (const [count, name] of TUNED.entries()) {
    await choose(name);
    await editor.until(`the models of ${count + 1} pairs`, async () => {
      const [found] = await engines();
      return found?.models.length === count + 2;
    });
    await editor.waitForStatus("Shifts shown");
    const pids = await code.pids(ENGINE);
    assert.deepEqual(pids, [(engine ??= pids[0])]);
  }
  const [found, ...more] = await engines();
  assert.deepEqual(more, []);
  const names = found.models.map((model) => model.name).sort();
  assert.deepEqual(names, ["base", ...TUNED].map((name) => join(folder, name)).sort());
  await editor.close();
});

test("two windows with different pairs share one engine", async () => {
  const one = await scored(TUNED[0]);
  const other = await scored(TUNED[1]);
  assert.equal((await code.pids(ENGINE)).length, 1);
  const [found, ...more] = await engines();
  assert.deepEqual(more, []);
  assert.equal(found.clients, 2);
  assert.equal(found.models.filter((model) => model.name === join(folder, "base")).length, 1);
  await one.close();
  await other.close();
});
