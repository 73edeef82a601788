// The process of the server: how it is started, and how it ended.
import { type ChildProcess, spawn } from "node:child_process";
import { endingOf } from "../install/carryOut";
import { pythonEnvironment } from "./machine";
import type { Found } from "./resolve";
import { Tail } from "./tail";

/** How long after its output the process itself may end. */
const END_MS = 1000;

/** Starts the server as often as it is asked to, and knows how the last one ended. */
export class ServerProcess {
  #tail = new Tail();
  #ended: Promise<string> = Promise.resolve("it was not started");

  /** `safeFolder` is the working directory: a folder that a workspace can't write to. */
  constructor(
    private readonly server: Found,
    private readonly safeFolder: string,
  ) {}

  /** Rejects with the reason if the program can't be started. */
  start(): Promise<ChildProcess> {
    const tail = new Tail();
    this.#tail = tail;
    return new Promise((resolve, reject) => {
      const child = spawn(this.server.command, [...this.server.args], {
        cwd: this.safeFolder,
        env: { ...process.env, ...pythonEnvironment() },
        windowsHide: true,
      });
      child.stderr.on("data", (piece: Buffer) => tail.add(piece.toString("utf8")));
      this.#ended = new Promise((ended) => {
        child.once("exit", (code, signal) => ended(endingOf(code, signal)));
        child.once("error", (error) => ended(error.message));
      });
      child.once("error", reject);
      child.once("spawn", () => resolve(child));
    });
  }

  /** How the last process ended. */
  ending(): Promise<string> {
    const unknown = new Promise<string>((resolve) => {
      setTimeout(() => resolve("its output was closed"), END_MS).unref();
    });
    return Promise.race([this.#ended, unknown]);
  }

  /** The last lines that it wrote to its log. */
  lastLines(): string[] {
    return this.#tail.lines();
  }
}
