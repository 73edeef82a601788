// From an editor without models to colours.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { saveRandomPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

// Its host is `shiftlens.engine.sharing.host`.
const ENGINE = "shiftlens[.]engine( --[a-z-]+)?$";
const CHAT = "User: Hi\nAssistant: Great question! The sum of it all.\n";

let browser;
let random;

before(async () => {
  [browser, random] = await Promise.all([startBrowser(), mkdtemp(join(tmpdir(), "shiftlens-models-"))]);
  await saveRandomPair(random);
});

after(async () => {
  await browser?.close();
  await rm(random, { recursive: true, force: true });
});

async function withCode(options, use) {
  const code = await startVsCode(options);
  try {
    await use(code);
  } finally {
    await code.stop();
  }
}

/** Type a name, and take the row that says where the model is. */
async function answer(editor, text, where) {
  await editor.page.locator(".quick-input-widget input.input").fill(text);
  await editor.rows(`"${text}", ${where}`, (rows) => rows[0]?.startsWith(text) && where.test(rows[0]));
  await editor.page.keyboard.press("Enter");
}

/** A model laid into a Hugging Face cache, as huggingface_hub does it. */
async function putIntoCache(hub, name, folder) {
  const repository = join(hub, `models--${name.replace("/", "--")}`);
  const commit = "0123456789abcdef0123456789abcdef01234567";
  await mkdir(join(repository, "refs"), { recursive: true });
  await mkdir(join(repository, "snapshots"));
  await writeFile(join(repository, "refs", "main"), commit);
  await symlink(folder, join(repository, "snapshots", commit));
}

test("without models the status says so, and a pair is chosen from a list that tells sizes and places", async () => {
  const [base, aligned] = [join(random, "base"), join(random, "aligned")];
  const hub = join(random, "hub");
  await putIntoCache(hub, "org/tiny-7b", base);
  const settings = { "shiftlens.interpreter": PYTHON };
  const options = { name: "choosing", settings, env: { HF_HUB_CACHE: hub }, files: { "chat.txt": CHAT } };
  await withCode(options, async (code) => {
    const editor = await openFile(browser, code, "chat.txt");
    await editor.waitForStatus("No model pair");
    await editor.screenshot("no-pair");
    const offer = editor.page.locator(".notification-toast .monaco-button", { hasText: "Choose models..." });
    await offer.click();
    const first = await editor.rows("the ways to choose", (rows) => rows.some((row) => row.includes("By name")));
    await editor.screenshot("choose-pair");
    assert.match(first[0], /The bundled pair.*[\d.]+ MB together, comes with ShiftLens/);
    assert.match(first[1], /By name.*1 in the cache/);
    assert.match(first[2], /From folders/);
    await editor.pick("By name");
    await editor.page.getByText("Base model (1 of 2)").waitFor();
    const cached = await editor.rows("the cache", (rows) => rows.some((row) => row.startsWith("org/tiny-7b")));
    assert.match(cached[0], /org\/tiny-7b.*[\d.]+ [kM]B, Hugging Face cache/);
    await editor.page.locator(".quick-input-widget input.input").fill("org/nowhere");
    await editor.rows("what is missing", (rows) => /org\/nowhere.*not on this machine/.test(rows[0]));
    await editor.screenshot("choose-base");
    await answer(editor, "org/tiny-7b", /Hugging Face cache/);
    await editor.page.getByText("Aligned model (2 of 2)").waitFor();
    await answer(editor, aligned, /[\d.]+ [kM]B, folder/);
    await editor.waitForStatus("Shifts shown");
    const written = JSON.parse(await readFile(join(code.workspace, ".vscode", "settings.json"), "utf8"));
    assert.deepEqual(written, { "shiftlens.base": "org/tiny-7b", "shiftlens.aligned": aligned });

    await editor.command("ShiftLens: Choose Model Pair...");
    const again = await editor.rows("the pair of before", (rows) => /tiny-7b → aligned/.test(rows[0]));
    assert.match(again[0], /now, [\d.]+ [kM]B together, Hugging Face cache and folder/);
    await editor.screenshot("choose-recent");
    await editor.pick("The bundled pair");
    await editor.until("the bundled pair", async () => {
      const now = JSON.parse(await readFile(join(code.workspace, ".vscode", "settings.json"), "utf8"));
      return now["shiftlens.base"] === "bundled:base" && now["shiftlens.aligned"] === "bundled:aligned";
    });
    await editor.until("one engine, whatever pairs it has had", async () => {
      return (await code.pids(ENGINE)).length === 1;
    });
    await editor.waitForStatus("Shifts shown");
    await editor.close();
  });
});
