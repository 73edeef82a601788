// What the editor draws, frame by frame.
const LINE = ".editor-instance .view-lines .view-line";

/** Notes the colour of every drawn character on every animation frame, until `stop` gives the frames that differ. */
export async function recordFrames(editor) {
  await editor.page.evaluate((selector) => {
    const top = (line) => Number.parseFloat(line.style.top);
    const draw = () =>
      [...document.querySelectorAll(selector)]
        .sort((a, b) => top(a) - top(b))
        .map((line) => {
          const runs = [];
          const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const text = walker.currentNode.data.replaceAll("\u00a0", " ");
            runs.push([text, getComputedStyle(walker.currentNode.parentElement).color]);
          }
          return runs;
        });
    const recording = { frames: [], count: 0, last: "", on: true };
    window.shiftlensRecording = recording;
    const step = () => {
      const frame = draw();
      const key = JSON.stringify(frame);
      recording.count += 1;
      if (key !== recording.last) {
        recording.last = key;
        recording.frames.push(frame);
      }
      if (recording.on) {
        requestAnimationFrame(step);
      }
    };
    requestAnimationFrame(step);
  }, LINE);
  return {
    /** `{ count, frames }`: how many frames were seen, and each that differs from the one before. */
    async stop() {
      return editor.page.evaluate(() => {
        window.shiftlensRecording.on = false;
        const { count, frames } = window.shiftlensRecording;
        return { count, frames };
      });
    },
  };
}

/**
 * Complaints about letters of a frame that have none of `colours`. `watched` are lines by what is not edited in them:
 * their beginning, `head` (looked at from column `from` on), and their end, `tail`.
 */
export function lostColours(frame, watched, colours) {
  const lost = [];
  for (const { from, head, tail } of watched) {
    const runs = frame.find((candidate) => textOf(candidate).startsWith(head) && textOf(candidate).endsWith(tail));
    if (!runs) {
      lost.push(`no line "${head}...${tail}"`);
      continue;
    }
    const text = textOf(runs);
    const shown = runs.flatMap(([run, colour]) => Array.from({ length: run.length }, () => colour));
    const bare = shown.findIndex((colour, at) => {
      const stable = at >= from && (at < head.length || at >= text.length - tail.length);
      return stable && text[at] !== " " && !colours.includes(colour);
    });
    if (bare >= 0) {
      lost.push(`column ${bare + 1} of "${text}" is ${shown[bare]}`);
    }
  }
  return lost;
}

function textOf(runs) {
  return runs.map(([text]) => text).join("");
}
