// What an installation of the server consists of, as values: folders, commands, decisions. Nothing is done here.
import { posix, win32 } from "node:path";

/** What the VSIX carries. Paths are absolute; the digest is over all four files. */
export interface Bundle {
  wheel: string;
  /** All that is needed beside PyTorch, with hashes. */
  lock: string;
  /** As much of it as is needed where no model runs, with hashes. */
  review: string;
  /** The same versions and that of PyTorch, without hashes. */
  versions: string;
  digest: string;
}

/** What is installed: all that runs models, or what shows scores that are there already. */
export type Kind = "whole" | "review";

/** A program with its first arguments, such as `py -3`. */
export interface Program {
  command: string;
  args: readonly string[];
}

/** What a Python says about itself. */
export interface Python {
  executable: string;
  version: readonly [number, number];
  bits: number;
  /** Whether it can make an environment with pip in it; Debian's Python can't without a further package. */
  makesEnvironments: boolean;
}

export interface Step extends Program {
  title: string;
  /** Whether its lines tell how far it is. */
  isPip?: boolean;
}

export interface Plan {
  /** Where the finished environment stands. */
  folder: string;
  /** Where it is made. */
  partial: string;
  steps: readonly Step[];
}

/** The button that installs no more than what shows scores. */
export const REVIEW_ONLY = "Review Only";

export const OLDEST_PYTHON = [3, 10] as const;

/** Prints a `Python` as JSON. It runs on any Python 3, so that an old one can be told from a broken one. */
export const ASK_PYTHON = [
  "import importlib.util, json, struct, sys",
  "print(json.dumps({'executable': sys.executable, 'version': list(sys.version_info[:2]),",
  " 'bits': 8 * struct.calcsize('P'),",
  " 'makesEnvironments': all(importlib.util.find_spec(name) for name in ('venv', 'ensurepip'))}))",
].join("\n");

/** The answer to `ASK_PYTHON`; undefined if it is none. */
export function parsePython(answer: string): Python | undefined {
  try {
    const { executable, version, bits, makesEnvironments } = JSON.parse(answer);
    const [major, minor] = version;
    const wellFormed = typeof executable === "string" && executable !== "" && Number.isInteger(major + minor);
    return wellFormed
      ? { executable, version: [major, minor], bits: Number(bits), makesEnvironments: makesEnvironments === true }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Why a Python can't carry the server; undefined if it can. */
export function objection({ version: [major, minor], bits, makesEnvironments }: Python): string | undefined {
  const [oldestMajor, oldestMinor] = OLDEST_PYTHON;
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    return `it is Python ${major}.${minor}, and ${OLDEST_PYTHON.join(".")} or newer is needed`;
  }
  if (bits < 64) {
    return "it is a 32-bit Python, and PyTorch needs a 64-bit one";
  }
  return makesEnvironments ? undefined : "it lacks venv or ensurepip (on Debian: the package python3-venv)";
}

/** Pythons worth asking, the best first. */
export function pythonCandidates(preferred: string, platform: NodeJS.Platform): Program[] {
  const usual = [
    { command: "python3", args: [] },
    { command: "python", args: [] },
    ...(platform === "win32" ? [{ command: "py", args: ["-3"] }] : []),
  ];
  return preferred === "" ? usual : [{ command: preferred, args: [] }, ...usual];
}

/** Short, for the sake of Windows' limit on paths. */
export function folderName(version: string, digest: string, kind: Kind = "whole"): string {
  return `${version}-${digest.slice(0, 8)}${kind === "review" ? "r" : ""}`;
}

export function interpreterIn(folder: string, platform: NodeJS.Platform): string {
  return platform === "win32" ? win32.join(folder, "Scripts", "python.exe") : posix.join(folder, "bin", "python");
}

export interface Wanted {
  bundle: Bundle;
  kind: Kind;
  /** The version of the extension. */
  version: string;
  /** The folder that holds all installations. */
  storage: string;
  python: string;
  platform: NodeJS.Platform;
  /** Further arguments for pip, from the user's settings. */
  pipArguments: readonly string[];
  /** Tells installations apart that run at the same time. */
  nonce: string;
}

/**
 * An environment of its own, with the wheel and, at the versions of the lock, what it needs. Nothing is compiled.
 *
 * pip checks the hashes of all that it fetches but PyTorch, whose wheel differs from index to index. PyTorch comes after
 * the rest, so that pip fetches with it, unchecked, only what its build for GPUs needs. For review only there is none.
 */
export function planInstall(wanted: Wanted): Plan {
  const { bundle, kind, version, storage, python, platform, pipArguments, nonce } = wanted;
  const { join } = platform === "win32" ? win32 : posix;
  const folder = join(storage, folderName(version, bundle.digest, kind));
  const partial = `${folder}${UNFINISHED}${nonce}`;
  const own = interpreterIn(partial, platform);
  // -I: neither the working directory nor PYTHON* variables choose modules.
  const pip = ["-I", "-X", "utf8", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"];
  const quietly = ["--no-color", "--progress-bar", "off", "--only-binary", ":all:"];
  const install = (title: string, ...args: readonly string[]): Step => ({
    title,
    command: own,
    args: [...pip, ...quietly, ...args],
    isPip: true,
  });
  const packages = kind === "review" ? bundle.review : bundle.lock;
  const torch = [install("Fetching PyTorch", ...pipArguments, "--constraint", bundle.versions, "torch")];
  const torchTrial: Step[] = [{ title: "Trying PyTorch", command: own, args: ["-I", "-c", "import torch"] }];
  const onlyWhole = <T>(steps: readonly T[]): readonly T[] => (kind === "whole" ? steps : []);
  return {
    folder,
    partial,
    steps: [
      { title: "Making a Python environment", command: python, args: ["-I", "-m", "venv", partial] },
      install("Fetching packages", ...pipArguments, "--no-deps", "--require-hashes", "--requirement", packages),
      ...onlyWhole(torch),
      install("Installing the server", "--no-deps", "--no-index", bundle.wheel),
      ...onlyWhole(torchTrial),
      { title: "Trying the server", command: own, args: ["-I", "-m", "shiftlens", "--version"] },
    ],
  };
}

const UNFINISHED = "~";
const STALE_MS = 24 * 60 * 60 * 1000;

/** Folders that nobody needs once `keep` is there; an unfinished one may be another window's, unless it is old. */
export function obsolete(entries: readonly { name: string; ageMs: number }[], keep: string): string[] {
  return entries
    .filter(({ name, ageMs }) => name !== keep && (!name.includes(UNFINISHED) || ageMs > STALE_MS))
    .map(({ name }) => name);
}

/** What a line of pip says about how far it is; undefined for lines of no interest. */
export function progressOf(line: string): string | undefined {
  const collecting = /^Collecting ([\w.-]+)/.exec(line);
  if (collecting) {
    return `Fetching ${collecting[1]}`;
  }
  const downloading = /^\s*Downloading (?:\S*\/)?([^\s/-]+)-\S+(?: \(([^)]+)\))?/.exec(line);
  if (downloading) {
    const [, name, size] = downloading;
    return size ? `Downloading ${name} (${size})` : `Downloading ${name}`;
  }
  return line.startsWith("Installing collected packages") ? "Unpacking; this takes a while" : undefined;
}

/** Why pip failed, from the last lines that it wrote, briefly: the hashes that it expected may be a hundred. */
export function whyPipFailed(lines: readonly string[]): string {
  return lines.some((line) => /^\s*Got\s+[0-9a-f]{64}$/.test(line))
    ? "A package that pip was given is not the one that ShiftLens was tested with: its hash is another one. " +
        "The log names it. Ask whoever runs the index that your pip uses, or use another one"
    : lines.slice(-3).join(" ");
}

/** What is about to happen, for the user to agree to. */
export function whatHappens(platform: NodeJS.Platform, python: Python, storage: string): string {
  const size =
    platform === "linux"
      ? "about 250 MB if pip finds PyTorch's build for the CPU. On Linux, PyTorch's usual build is the one for NVIDIA GPUs: " +
        "with it, expect some 3 GB of downloads and 7 GB on disk. For the small build, name an index that has it in " +
        "the setting shiftlens.installArguments, or in pip's own configuration"
      : "about 250 MB, most of it PyTorch";
  return [
    `pip downloads PyTorch, Transformers and what they need: ${size}. On disk it is about 1.2 GB without GPU parts. ` +
      "The hash of each package is checked, except of PyTorch and its GPU parts, which differ from build to build.",
    `"${REVIEW_ONLY}" leaves out all that runs models: some 5 MB of downloads and 80 MB on disk. It shows scores that ` +
      'were saved beside transcripts ("shiftlens analyze FILE --save", on a machine with the models) and scores nothing. ' +
      "The models' part can be installed later.",
    `ShiftLens itself and its two tiny models come with this extension.`,
    `Everything goes into a Python environment of its own in ${storage}, made with Python ` +
      `${python.version.join(".")} (${python.executable}). Nothing else on this machine is changed. ` +
      `"ShiftLens: Remove Installed Server" takes it away again.`,
  ].join("\n\n");
}
