// Which command starts the server. The answer is a value, so that it can be compared with the last one and tested
// without an editor.

/** The settings and interpreters that decide which server is started. */
export interface ServerOptions {
  /** `shiftlens.serverCommand`, variables replaced. */
  serverCommand: readonly string[];
  /** `shiftlens.interpreter`, variables replaced; empty where it is not set. */
  interpreter: string;
  /** The interpreter of the environment that this extension installed, where it did. */
  managedInterpreter: string | undefined;
  /** The interpreter of the Python extension's active environment, where there is one. */
  activeInterpreter: string | undefined;
  logLevel: string;
}

export type Probe = "found" | "noPackage" | "cannotRun";

/** Questions to the machine. */
export interface Machine {
  /** Can this interpreter run, and does it have the package? */
  probe(interpreter: string): Promise<Probe>;
  /** The absolute path of a program on the PATH. */
  findOnPath(program: string): Promise<string | undefined>;
}

export type Source = "serverCommand" | "interpreter" | "managed" | "activeInterpreter" | "path";

export interface Found {
  kind: "found";
  source: Source;
  command: string;
  args: readonly string[];
}

/** `setting` is where the remedy is to be made, if it is in a setting. */
export interface NotFound {
  kind: "notFound";
  problem: string;
  remedy: string;
  setting: string;
  /** The extension can help by installing the server itself. */
  installable?: boolean;
}

export type Resolution = Found | NotFound;

/**
 * A command that the user gave wins, then an interpreter that the user gave, then the extension's own environment,
 * then the active environment if it has the package, then `shiftlens` on the PATH. What the user gave is never passed
 * over in silence: if it does not work, that is the answer.
 */
export async function resolveServer(options: ServerOptions, machine: Machine): Promise<Resolution> {
  const serve = ["serve", "--log-level", options.logLevel];
  const [command, ...args] = options.serverCommand;
  if (command !== undefined) {
    return command.trim() === ""
      ? notFound("The first element of shiftlens.serverCommand is empty.", "Name a program.", "serverCommand")
      : { kind: "found", source: "serverCommand", command, args };
  }
  if (options.interpreter !== "") {
    const probe = await machine.probe(options.interpreter);
    return probe === "found"
      ? module("interpreter", options.interpreter, serve)
      : badInterpreter(options.interpreter, probe);
  }
  if (options.managedInterpreter && (await machine.probe(options.managedInterpreter)) === "found") {
    return module("managed", options.managedInterpreter, serve);
  }
  if (options.activeInterpreter && (await machine.probe(options.activeInterpreter)) === "found") {
    return module("activeInterpreter", options.activeInterpreter, serve);
  }
  const onPath = await machine.findOnPath("shiftlens");
  if (onPath !== undefined) {
    return { kind: "found", source: "path", command: onPath, args: serve };
  }
  const nowhere = notFound(
    options.activeInterpreter
      ? `The package shiftlens is neither in the active Python environment (${options.activeInterpreter}) nor on the PATH.`
      : "The program shiftlens is not on the PATH, and no Python interpreter is set.",
    'Run "ShiftLens: Install Server", or set shiftlens.interpreter to a Python that has it.',
    "interpreter",
  );
  return { ...nowhere, installable: true };
}

/** Whether two answers would start the same server. */
export function sameResolution(a: Resolution | undefined, b: Resolution): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

export function describe(resolution: Resolution): string {
  if (resolution.kind === "notFound") {
    return `${resolution.problem} ${resolution.remedy}`;
  }
  const why: Record<Source, string> = {
    serverCommand: "the setting shiftlens.serverCommand",
    interpreter: "the setting shiftlens.interpreter",
    managed: "the environment that this extension installed",
    activeInterpreter: "the active Python environment",
    path: "the PATH",
  };
  return `${[resolution.command, ...resolution.args].join(" ")} (from ${why[resolution.source]})`;
}

function module(source: Source, interpreter: string, serve: readonly string[]): Found {
  return { kind: "found", source, command: interpreter, args: ["-m", "shiftlens", ...serve] };
}

function badInterpreter(interpreter: string, probe: Probe): NotFound {
  return probe === "noPackage"
    ? notFound(
        `The interpreter ${interpreter} (shiftlens.interpreter) does not have the package shiftlens.`,
        `Install it there (${interpreter} -m pip install shiftlens), or choose another interpreter.`,
        "interpreter",
      )
    : notFound(
        `The interpreter ${interpreter} (shiftlens.interpreter) can't be run.`,
        "Set it to the path of a Python 3.10 or newer.",
        "interpreter",
      );
}

function notFound(problem: string, remedy: string, setting: string): NotFound {
  return { kind: "notFound", problem, remedy, setting: `shiftlens.${setting}` };
}
