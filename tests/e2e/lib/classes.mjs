// The class of every character: as the editor shows it, and as the command line says it is.
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import { promised } from "./manifest.mjs";
import { PYTHON } from "./paths.mjs";

export const CLASSES = ["shifted", "marginal", "unshifted"];
const KEYS = ["color", "bold", "underline"];

/** The runs of a line and the class whose promised style they have: `{ class, text, column, line }`. */
export async function classified(editor, theme, line) {
  const kind = classifier(theme);
  return (await editor.runs(line)).map((run) => ({ class: kind(run), text: run.text, column: run.column, line }));
}

/** The class of every code point of a line on the screen; undefined where it has the style of none. */
export async function classesOnScreen(editor, theme, line) {
  return (await editor.styles(line)).map(classifier(theme));
}

function classifier(theme) {
  const styles = CLASSES.map((kind) => [kind, promised(theme, kind)]);
  return (found) => styles.find(([, style]) => KEYS.every((key) => style[key] === found[key]))?.[0];
}

/** `shiftlens analyze` on a file: for every code point of its text a class, undefined outside responses. */
export async function classesByCommandLine(path, text, settings) {
  const thresholds = settings["shiftlens.thresholds"];
  const classifyBy = settings["shiftlens.classifyBy"];
  const { stdout } = await promisify(execFile)(
    PYTHON,
    [
      ...["-m", "shiftlens", "analyze", path, "--no-cache", "--format", "json"],
      ...["--base", settings["shiftlens.base"], "--aligned", settings["shiftlens.aligned"]],
      ...(classifyBy ? ["--classify-by", classifyBy] : []),
      ...(thresholds ? ["--thresholds", thresholds.join()] : []),
    ],
    { cwd: tmpdir(), maxBuffer: 1 << 28 },
  );
  const classes = Array.from({ length: [...text].length });
  for (const token of JSON.parse(stdout).responses.flatMap((response) => response.tokens)) {
    classes.fill(token.class, token.start, token.end);
  }
  return classes;
}

/** Complaints about each line of `text` that the screen shows in other classes than `expected`, which has one per code point. */
export async function differences(editor, theme, text, expected) {
  const complaints = [];
  const shown = (await editor.lines()).length;
  let at = 0;
  for (const [line, content] of text.split("\n").slice(0, shown).entries()) {
    const chars = [...content];
    const wanted = expected.slice(at, at + chars.length);
    const found = await classesOnScreen(editor, theme, line);
    for (const [column, char] of chars.entries()) {
      // A character made of several tokens shows the worst of their classes.
      const split = char.codePointAt(0) > 127 && found[column] !== undefined && wanted[column] !== undefined;
      if (found[column] !== wanted[column] && !split) {
        complaints.push(
          `line ${line + 1}, column ${column + 1} "${char}": ${found[column]}, not ${wanted[column]}`,
        );
      }
    }
    at += chars.length + 1;
  }
  return complaints;
}
