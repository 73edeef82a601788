// While a reader types, what stands around the edited words keeps its colours in every single frame.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CLASSES, classified } from "./lib/classes.mjs";
import { lostColours, recordFrames } from "./lib/frames.mjs";
import { promised } from "./lib/manifest.mjs";
import { openFile, startBrowser } from "./lib/page.mjs";
import { modelPair } from "./lib/pair.mjs";
import { PYTHON } from "./lib/paths.mjs";
import { startVsCode } from "./lib/vscode.mjs";

const THEME = "Default Dark Modern";
const LABEL = "Assistant: ";
const FIRST = "Great question! A bat is the only mammal that can truly fly.";
const SECOND = "You're welcome! Butter is a solid fat that is made from cream.";
const THIRD = "Certainly! The start is included, but the stop is not.";
const CHAT = [
  "User: What is a bat?",
  LABEL + FIRST,
  "User: Thanks! Can you explain what butter is?",
  LABEL + SECOND,
  "User: I see. Tell me about the range function.",
  LABEL + THIRD,
  "",
].join("\n");

let browser;
let code;
let pair;
let editor;

before(async () => {
  [browser, pair] = await Promise.all([startBrowser(), modelPair()]);
  code = await startVsCode({
    name: "flicker",
    settings: {
      ...pair.settings,
      "shiftlens.interpreter": PYTHON,
      "shiftlens.showUnshifted": true,
      "workbench.colorTheme": THEME,
      "editor.occurrencesHighlight": "off",
      "editor.quickSuggestions": { other: "off", comments: "off", strings: "off" },
      "editor.wordBasedSuggestions": "off",
    },
    files: { "chat.txt": CHAT },
  });
  editor = await openFile(browser, code, "chat.txt");
});

after(async () => {
  await editor?.screenshot("flicker-last");
  await browser?.close();
  await code?.stop();
  await pair?.remove();
});

/** Every letter of the responses has the colour of a class. */
async function allColoured() {
  await editor.waitForStatus("Shifts shown");
  await editor.until("colours on every response", async () => {
    for (const line of [1, 3, 5]) {
      const runs = await classified(editor, THEME, line);
      const bare = runs.find((run) => !run.class && run.text.slice(Math.max(0, LABEL.length - run.column)).trim());
      if (bare) {
        throw new Error(`line ${line + 1}: "${bare.text}" has none`);
      }
    }
    return true;
  });
}

/** Type at each of `places` (`{ before, type }`, the text in front of which to type), and give all frames. */
async function framesWhileTyping(places) {
  const recording = await recordFrames(editor);
  for (const { before, type } of places) {
    await editor.click(await editor.find(before));
    await editor.page.keyboard.type(type, { delay: 30 });
  }
  await allColoured();
  return recording.stop();
}

function complaints({ count, frames }, watched) {
  assert.ok(frames.length > 2, `only ${frames.length} different frames of ${count}`);
  const colours = CLASSES.map((kind) => promised(THEME, kind).color);
  return frames.flatMap((frame, number) =>
    lostColours(frame, watched, colours).map((lost) => `frame ${number} of ${frames.length}: ${lost}`),
  );
}

function whole(text) {
  return { from: LABEL.length, head: LABEL + text, tail: "" };
}

/** A line in which the word that `inside` is in, between the spaces around it, is being edited. */
function around(text, word) {
  const at = text.indexOf(word);
  return { from: LABEL.length, head: LABEL + text.slice(0, at), tail: text.slice(at + word.length) };
}

test("a burst of letters in a word takes the colours of no other word, in no frame", async () => {
  await allColoured();
  const seen = await framesWhileTyping([{ before: "mmal", type: "mmommomomma" }]);
  assert.deepEqual(complaints(seen, [around(FIRST, "mammal"), whole(SECOND), whole(THIRD)]), []);
});

test("edits in two responses, one soon after the other, leave what stands between them as it is", async () => {
  await editor.page.keyboard.press("Control+z");
  await allColoured();
  const seen = await framesWhileTyping([
    { before: "uestion", type: "qqq" },
    { before: "ncluded", type: "nnn" },
  ]);
  assert.deepEqual(complaints(seen, [whole(SECOND), around(THIRD, "included,")]), []);
});

test("a new line in a response moves the colours below and takes none", async () => {
  await allColoured();
  const recording = await recordFrames(editor);
  await editor.click(await editor.find("solid"));
  await editor.page.keyboard.type("very \n", { delay: 30 });
  await editor.until("colours on the new line", async () => {
    const line = (await editor.lines()).findIndex((text) => text.startsWith("solid"));
    return line >= 0 && (await classified(editor, THEME, line)).every((run) => run.class);
  });
  await editor.waitForStatus("Shifts shown");
  const seen = await recording.stop();
  assert.deepEqual(complaints(seen, [{ from: LABEL.length, head: `${LABEL}Certainly!`, tail: "is not." }]), []);
});
