// The machine that the server runs on, as far as finding the server needs it.
import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";
import type { Machine, Probe } from "./resolve";

const PROBE_MS = 15_000;
const NO_PACKAGE = 3;
const ASK_FOR_PACKAGE = `import importlib.util, sys; sys.exit(0 if importlib.util.find_spec("shiftlens") else ${NO_PACKAGE})`;

/**
 * The environment of every Python we start. Python puts the working directory on its module path; a workspace must
 * not be able to slip in modules that way, so that no process starts in one, and newer Pythons are told as well.
 */
export function pythonEnvironment(): Record<string, string> {
  return { PYTHONSAFEPATH: "1", PYTHONUTF8: "1" };
}

/** The machine, with `safeFolder` as the working directory of whatever is started. */
export function machineIn(safeFolder: string): Machine {
  return {
    probe: (interpreter) =>
      new Promise<Probe>((resolve) => {
        const options = {
          cwd: safeFolder,
          timeout: PROBE_MS,
          windowsHide: true,
          env: { ...process.env, ...pythonEnvironment() },
        };
        execFile(interpreter, ["-c", ASK_FOR_PACKAGE], options, (error) => {
          const answers: Probe = error?.code === NO_PACKAGE ? "noPackage" : "cannotRun";
          resolve(error ? answers : "found");
        });
      }),
    findOnPath: async (program) => {
      const endings = process.platform === "win32" ? [".exe", ".cmd"] : [""];
      const folders = (process.env.PATH ?? "").split(delimiter).filter(isAbsolute);
      for (const candidate of folders.flatMap((folder) =>
        endings.map((ending) => join(folder, program + ending)),
      )) {
        if (await isProgram(candidate)) {
          return candidate;
        }
      }
      return undefined;
    },
  };
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
