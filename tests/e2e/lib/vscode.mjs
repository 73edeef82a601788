// A real VS Code with the packaged extension in it: code-server on a free port, everything it writes in a folder of its
// own that goes away at the end.
import { execFile, spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { isOfMachine } from "./manifest.mjs";
import { OUT, VSIX } from "./paths.mjs";

const VERSION = process.env.CODE_SERVER_VERSION ?? "4.100.0";
const CACHE = process.env.SHIFTLENS_E2E_CACHE ?? join(homedir(), ".cache", "shiftlens-e2e");
const ENTRY = join(
  CACHE,
  `code-server-${VERSION}-node${process.versions.modules}`,
  "node_modules/code-server/out/node/entry.js",
);
const run = promisify(execFile);
const START_MS = 60_000;

/** What every test wants: no noise, no animation, lines that do not wrap. Tests put their own settings over it. */
const QUIET = {
  "telemetry.telemetryLevel": "off",
  "workbench.startupEditor": "none",
  "workbench.enableExperiments": false,
  "workbench.tips.enabled": false,
  "workbench.reduceMotion": "on",
  "security.workspace.trust.enabled": false,
  "extensions.autoUpdate": false,
  "files.autoSave": "off",
  "editor.wordWrap": "off",
  "[markdown]": { "editor.wordWrap": "off" },
  "editor.minimap.enabled": false,
  "editor.hover.delay": 100,
  "editor.fontSize": 13,
  "window.confirmBeforeClose": "never",
};

/** Starts a VS Code; `settings` are the user's, `files` go into its workspace by relative path. */
export async function startVsCode({ name, settings = {}, files = {}, env = {} }) {
  const root = await mkdtemp(join(tmpdir(), "shiftlens-e2e-"));
  const workspace = join(root, "workspace");
  const extensions = join(root, "extensions");
  const userData = join(root, "user-data");
  const runtime = join(root, "run");
  await mkdir(join(userData, "User"), { recursive: true });
  await mkdir(join(userData, "Machine"), { recursive: true });
  await mkdir(extensions);
  await mkdir(workspace);
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(workspace, path)), { recursive: true });
    await writeFile(join(workspace, path), text);
  }
  let current = { ...QUIET, ...settings };
  await writeSettings(userData, current);

  const folders = ["--user-data-dir", userData, "--extensions-dir", extensions];
  await run(process.execPath, [ENTRY, ...folders, "--install-extension", VSIX]);

  const port = await freePort();
  const options = [
    "--auth",
    "none",
    "--bind-addr",
    `127.0.0.1:${port}`,
    "--disable-telemetry",
    "--disable-update-check",
  ];
  await mkdir(OUT, { recursive: true });
  const log = createWriteStream(join(OUT, `${name}.code-server.log`));
  const child = spawn(process.execPath, [ENTRY, ...options, ...folders], {
    // In a group of its own, so that what it started can be ended with it.
    detached: true,
    env: {
      ...process.env,
      SHIFTLENS_CACHE_DIR: join(root, "cache"),
      SHIFTLENS_RUNTIME_DIR: runtime,
      SHIFTLENS_ENGINE_LINGER: "0",
      ...env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const origin = `http://127.0.0.1:${port}`;
  const code = {
    workspace,
    userData,
    /** Where the engines of this editor are met, for programs that are to meet them too. */
    runtime,
    /** Where to point a browser to see `path` of the workspace. */
    url(path) {
      // With the authority left out, the editor shows the file, but does not take it for one of the workspace.
      const payload = path ? [["openFile", `vscode-remote://127.0.0.1:${port}${join(workspace, path)}`]] : [];
      return `${origin}/?folder=${encodeURIComponent(workspace)}&payload=${encodeURIComponent(JSON.stringify(payload))}`;
    },
    /** Change the user's settings while the editor runs. */
    async set(changes) {
      current = { ...current, ...changes };
      await writeSettings(userData, current);
    },
    /** The processes that came from this editor (engines leave its group) and whose command line `pattern` matches. */
    async pids(pattern) {
      const { stdout } = await run("pgrep", ["-f", pattern]).catch(() => ({ stdout: "" }));
      const found = stdout.split("\n").filter(Boolean).map(Number);
      const environments = await Promise.all(
        found.map((pid) => readFile(`/proc/${pid}/environ`, "utf8").catch(() => "")),
      );
      return found.filter((_, at) => environments[at].includes(`SHIFTLENS_RUNTIME_DIR=${runtime}\0`));
    },
    async stop() {
      try {
        process.kill(-child.pid, "SIGTERM");
      } catch {
        // It has ended by itself.
      }
      await Promise.race([new Promise((ended) => child.once("exit", ended)), sleep(5000)]);
      log.end();
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  try {
    await answers(origin, child);
  } catch (error) {
    await code.stop();
    throw error;
  }
  return code;
}

/** In a remote editor, and code-server is one, settings of the machine have a file of their own. */
async function writeSettings(userData, settings) {
  const all = Object.entries(settings);
  for (const [folder, ofMachine] of [
    ["User", false],
    ["Machine", true],
  ]) {
    const own = Object.fromEntries(all.filter(([key]) => isOfMachine(key) === ofMachine));
    await writeFile(join(userData, folder, "settings.json"), JSON.stringify(own, undefined, 2));
  }
}

async function freePort() {
  const probe = createServer();
  await new Promise((ready) => probe.listen(0, "127.0.0.1", ready));
  const { port } = probe.address();
  await new Promise((closed) => probe.close(closed));
  return port;
}

async function answers(origin, child) {
  const end = Date.now() + START_MS;
  while (Date.now() < end) {
    if (child.exitCode !== null) {
      throw new Error(`code-server ended with ${child.exitCode} before it answered`);
    }
    try {
      if ((await fetch(`${origin}/healthz`)).ok) {
        return;
      }
    } catch {
      // Not yet.
    }
    await sleep(100);
  }
  throw new Error(`code-server did not answer within ${START_MS} ms`);
}
