// Everything that the status item says from the first moment on, in the order in which it is said.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openFile, startBrowser } from "./lib/page.mjs";
import { saveRandomPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

/** Large enough for its loading to be seen: some 90 million parameters, 0.36 GB on disk, a model. */
const LARGE = {
  hidden_size: 768,
  intermediate_size: 3072,
  num_hidden_layers: 10,
  num_attention_heads: 12,
  num_key_value_heads: 12,
  initializer_range: 0.05,
};
const CLICK_MS = 10_000;
const ANSWER = "Great question! I hope this helps. The quick brown fox jumps over the lazy dog.";
const CHAT = Array.from({ length: 5 }, (_, at) => `User: Question ${at}\nAssistant: ${ANSWER} ${at}\n`).join("");

let browser;
let code;
let models;
let editor;

before(async () => {
  [browser, models] = await Promise.all([startBrowser(), mkdtemp(join(tmpdir(), "shiftlens-large-"))]);
  await saveRandomPair(models, LARGE);
  const settings = { "shiftlens.interpreter": PYTHON };
  code = await startVsCode({ name: "status", settings, files: { "chat.txt": CHAT } });
  editor = await openFile(browser, code, "chat.txt", { recordStatus: true });
});

after(async () => {
  await editor?.screenshot("status-last");
  await browser?.close();
  await code?.stop();
  await rm(models, { recursive: true, force: true });
});

/** The place in `said` of the first that fits after `from`; fails if there is none. */
function place(said, from, pattern) {
  const at = said.findIndex((text, place) => place >= from && pattern.test(text));
  assert.ok(at >= 0, `${pattern} was not said after "${said[from - 1] ?? ""}" in\n${said.join("\n")}`);
  return at + 1;
}

test("it starts, and then says that no pair is chosen", async () => {
  await editor.waitForStatus("No model pair");
  const said = await editor.statuses();
  place(said, place(said, 0, /ShiftLens: Starting/), /ShiftLens: No model pair.*No model pair is chosen/);
});

test("a pair is loaded by percent, and responses are counted while they are scored", async () => {
  await code.set({ "shiftlens.base": join(models, "base"), "shiftlens.aligned": join(models, "aligned") });
  await editor.page.reload();
  // What lasts too short for a look every now and then is in the record.
  await editor.waitForStatus("Shifts shown");
  await editor.screenshot("status-ready");
  const said = await editor.statuses();
  const percents = said.flatMap((text) => /Loading models (\d+) %/.exec(text)?.slice(1).map(Number) ?? []);
  assert.ok(percents.length >= 3, said.join("\n"));
  assert.deepEqual(
    percents,
    [...percents].sort((a, b) => a - b),
    "it never goes back",
  );
  let at = place(said, 0, /ShiftLens: Starting/);
  // The first half is the base model, the second the aligned one.
  at = place(said, at, /ShiftLens: Loading models [1-4]?\d %/);
  at = place(said, at, /ShiftLens: Loading models ([5-9]\d|100) %/);
  at = place(said, at, /ShiftLens: Scoring [1-5] of 5/);
  const numbers = said.flatMap((text) => /Scoring (\d) of 5/.exec(text)?.slice(1).map(Number) ?? []);
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
    "it never goes back",
  );
  place(said, at, /ShiftLens: Shifts shown/);
});

test("loading can be cancelled from the status item, and begun again", async () => {
  // On a busy machine the models may be there before the card is open.
  await editor.until("a loading that is cancelled", async () => {
    await editor.command("ShiftLens: Unload the Models");
    await editor.until("the engine's end", async () => (await code.pids("shiftlens.engine")).length === 0);
    await editor.click(await editor.find("Question 0"));
    // A new question before them makes every response new.
    await editor.page.keyboard.type("Another ");
    await editor.waitForStatus("Loading models");
    const card = await editor.openStatus();
    await editor.screenshot("status-card");
    await card.getByRole("button", { name: "Cancel" }).click({ timeout: CLICK_MS });
    await editor.until("an end", async () => /Not scored|Shifts shown/.test(await editor.status()));
    return (await editor.status()).includes("Not scored");
  });
  assert.match(await editor.status(), /cancelled/);
  await (await editor.openStatus()).getByRole("button", { name: "Score" }).click();
  await editor.waitForStatus("Shifts shown");
});

test("models that are not there are an error that names them and offers another try", async () => {
  const missing = join(models, "nowhere");
  await code.set({ "shiftlens.base": missing });
  await editor.page.reload();
  await editor.waitForStatus("Error");
  await editor.until("its name in a notification", async () =>
    (await editor.notifications()).some((text) => text.includes(missing)),
  );
  const card = await editor.openStatus();
  const again = await card.getByRole("button", { name: "Try Again" }).boundingBox();
  await editor.screenshot("status-error");
  const { width } = editor.page.viewportSize();
  assert.ok(again && again.x + again.width <= width, "the action is on the screen");
});
