// Pythons of this machine.
import { execFile } from "node:child_process";
import { ASK_PYTHON, objection, type Program, type Python, parsePython } from "./plan";

const ASK_MS = 15_000;

/** What a program says about itself if it is a Python; undefined if it can't be run or is none. */
export function askPython({ command, args }: Program, cwd: string): Promise<Python | undefined> {
  return new Promise((resolve) => {
    const options = { cwd, timeout: ASK_MS, windowsHide: true };
    execFile(command, [...args, "-I", "-c", ASK_PYTHON], options, (error, stdout) =>
      resolve(error ? undefined : parsePython(stdout)),
    );
  });
}

/** The first candidate that can carry the server, and why the others can't. */
export async function findPython(
  candidates: readonly Program[],
  cwd: string,
): Promise<{ python: Python | undefined; objections: string[] }> {
  const objections: string[] = [];
  for (const candidate of candidates) {
    const name = [candidate.command, ...candidate.args].join(" ");
    const python = await askPython(candidate, cwd);
    const problem = python ? objection(python) : "it can't be run";
    if (python && problem === undefined) {
      return { python, objections };
    }
    objections.push(`${name}: ${problem}`);
  }
  return { python: undefined, objections };
}
