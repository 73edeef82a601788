// Carries a plan out. An environment is there whole or not at all.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LastLines, readLines } from "../server/lines";
import { endingOf } from "../server/process";
import { obsolete, type Plan, progressOf, type Step } from "./plan";

const GRACE_MS = 2000;
/** Settings of pip that would have it install elsewhere. */
const ENVIRONMENT = { PIP_USER: "0", PIP_REQUIRE_VIRTUALENV: "0" };
const ELSEWHERE = ["PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_DRY_RUN"];

export interface Listener {
  /** What is being done, in a few words. */
  progress(message: string): void;
  /** Every line that a program writes. */
  line(text: string): void;
}

export class Cancelled extends Error {}

/** A step went wrong; `lines` are the last ones that its program wrote. */
export class StepFailed extends Error {
  constructor(
    readonly step: Step,
    readonly ending: string,
    readonly lines: readonly string[],
  ) {
    super(`${step.title}: ${ending}`);
  }
}

/**
 * Make the environment of `plan`, in place of one of the same name; leaves nothing behind when it fails or `signal`
 * is raised. Throws Cancelled, StepFailed, or what the file system throws.
 */
export async function carryOut(plan: Plan, signal: AbortSignal, listener: Listener): Promise<void> {
  const storage = dirname(plan.folder);
  await mkdir(storage, { recursive: true });
  try {
    for (const step of plan.steps) {
      listener.progress(step.title);
      await carryOutStep(step, storage, signal, listener);
    }
    await moveInto(plan.folder, plan.partial);
  } catch (error) {
    await remove(plan.partial);
    throw error;
  }
}

/** Remove what other versions left; returns what could not be removed. */
export async function removeObsolete(folder: string): Promise<string[]> {
  const storage = dirname(folder);
  const names = await readdir(storage).catch(() => []);
  const entries = await Promise.all(
    names.map(async (name) => {
      const changed = await stat(join(storage, name)).catch(() => undefined);
      return { name, ageMs: Date.now() - (changed?.mtimeMs ?? 0) };
    }),
  );
  const left: string[] = [];
  for (const name of obsolete(entries, basename(folder))) {
    await remove(join(storage, name)).catch(() => left.push(name));
  }
  return left;
}

export async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

async function moveInto(folder: string, made: string): Promise<void> {
  const aside = `${made}o`;
  const hadOne = await rename(folder, aside).then(
    () => true,
    () => false,
  );
  try {
    await rename(made, folder);
  } catch (error) {
    if (hadOne) {
      await rename(aside, folder);
    }
    throw error;
  }
  if (hadOne) {
    await remove(aside);
  }
}

async function carryOutStep(step: Step, cwd: string, signal: AbortSignal, listener: Listener): Promise<void> {
  if (signal.aborted) {
    throw new Cancelled();
  }
  listener.line(`$ ${[step.command, ...step.args].join(" ")}`);
  const lastLines = new LastLines();
  const env: NodeJS.ProcessEnv = { ...process.env, ...ENVIRONMENT };
  for (const name of ELSEWHERE) {
    delete env[name];
  }
  // In a group of its own, so that what it starts can be ended with it.
  const detached = process.platform !== "win32";
  const child = spawn(step.command, step.args, { cwd, env, detached, windowsHide: true });
  child.stdin.end();
  let ended = false;
  const abort = () => {
    endTree(child, "SIGTERM");
    setTimeout(() => ended || endTree(child, "SIGKILL"), GRACE_MS).unref();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    const ending = await new Promise<string | undefined>((resolve) => {
      const take = (line: string) => {
        lastLines.add(line);
        listener.line(line);
        const message = step.isPip ? progressOf(line) : undefined;
        if (message) {
          listener.progress(message);
        }
      };
      void readLines(child.stdout, take);
      void readLines(child.stderr, take);
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, killed) => resolve(code === 0 ? undefined : endingOf(code, killed)));
    });
    if (signal.aborted) {
      throw new Cancelled();
    }
    if (ending !== undefined) {
      throw new StepFailed(step, ending, lastLines.all());
    }
  } finally {
    ended = true;
    signal.removeEventListener("abort", abort);
  }
}

function endTree(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) {
    return;
  }
  if (process.platform === "win32") {
    execFile("taskkill", ["/PID", String(child.pid), "/T", "/F"], () => undefined);
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch {
    // It has ended by itself.
  }
}
