// The process of the server: how it is started, and how it ended.
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { LastLines, readLines } from "./lines";
import { pythonEnvironment } from "./machine";
import type { Found } from "./resolve";

/** How long the process may go on after its output was closed. */
const EXIT_MS = 1000;
/** How long its last lines may take to arrive after it has ended; an engine that it started may keep the stream open. */
const FLUSH_MS = 100;

/** Starts the server as often as it is asked to, and knows how the last one ended. */
export class ServerProcess {
  #lastLines = new LastLines();
  #ended: Promise<string> = Promise.resolve("it was not started");

  /** `safeFolder` is the working directory: a folder that a workspace can't write to. */
  constructor(
    private readonly server: Found,
    private readonly safeFolder: string,
  ) {}

  /** Rejects with the reason if the program can't be started. */
  start(): Promise<ChildProcess> {
    const lastLines = new LastLines();
    this.#lastLines = lastLines;
    return new Promise((resolve, reject) => {
      const child = spawn(this.server.command, [...this.server.args], {
        cwd: this.safeFolder,
        env: { ...process.env, ...pythonEnvironment() },
        windowsHide: true,
      });
      const allRead = readLines(child.stderr, (line) => lastLines.add(line));
      const exited = new Promise<string>((ended) => {
        child.once("exit", (code, signal) => ended(endingOf(code, signal)));
        child.once("error", (error) => ended(error.message));
      });
      this.#ended = exited.then(async (ending) => {
        await Promise.race([allRead, delay(FLUSH_MS)]);
        return ending;
      });
      child.once("error", reject);
      child.once("spawn", () => resolve(child));
    });
  }

  /** How the last process ended. */
  ending(): Promise<string> {
    return Promise.race([this.#ended, delay(EXIT_MS, "its output was closed", { ref: false })]);
  }

  /** The last lines that it wrote to its log. */
  lastLines(): string[] {
    return this.#lastLines.all();
  }
}

export function endingOf(code: number | null, signal: NodeJS.Signals | null): string {
  return signal ? `ended by ${signal}` : `exit code ${code}`;
}
