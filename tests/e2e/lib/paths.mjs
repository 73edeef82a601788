// Places in the repository. All can be overridden from the environment.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");
export const VSIX = process.env.SHIFTLENS_E2E_VSIX ?? join(ROOT, "build", "shiftlens.vsix");
export const OUT = process.env.SHIFTLENS_E2E_OUT ?? join(ROOT, "build", "e2e");
export const PYTHON = process.env.SHIFTLENS_E2E_PYTHON ?? join(ROOT, ".venv", "bin", "python");
