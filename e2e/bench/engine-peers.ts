// The programs that are measured: Culvert's engine, wireguard-go of a fixed version, and the limit program (a static
// key, no handshake, no replay window: what this kernel allows). Only the first is part of the project; what cannot be
// built is said and left out, never replaced by something older in silence.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";

const root = join(import.meta.dirname, "../..");
const target = join(root, "native/target");

export type Program = "culvert" | "wireguard_go" | "limit";
export type Programs = Readonly<Partial<Record<Program, string>>>;

export const starter = join(target, "release/examples/stand_alone");
export const crowd = join(target, "release/examples/crowd");

/** Newest at the time of writing; it cuts and joins large packets, which Debian 12's release of 2022 does not. */
const wireguardGo = "golang.zx2c4.com/wireguard@v0.0.0-20260522210424-ecfc5a8d5446";

const places: Readonly<Record<Program, string>> = {
  culvert: join(target, "release/culvert-engine"),
  wireguard_go: join(target, "peers", wireguardGo.replace(/.*@/, ""), "wireguard"),
  limit: join(target, "peers/limit/target/release/fwd"),
};

/** Builds what is missing; to be called where there is a network. `note` hears what could not be had. */
export function buildPrograms(note: (line: string) => void): void {
  buildCulvert();
  for (const [program, build] of [
    ["wireguard_go", buildWireguardGo],
    ["limit", buildLimit],
  ] as const) {
    if (existsSync(places[program])) continue;
    try {
      build();
    } catch (error) {
      note(`without ${program}: ${error instanceof Error ? error.message.trim() : String(error)}`);
    }
  }
}

export function findPrograms(): Programs {
  return Object.fromEntries(Object.entries(places).filter(([, path]) => existsSync(path)));
}

function buildCulvert(): void {
  cargo(["build", "--release", "--package", "culvert-engine", "--bins", "--examples"], join(root, "native"));
}

function buildWireguardGo(): void {
  const path = [process.env["PATH"], "/usr/local/go/bin"].join(delimiter);
  const env = { ...process.env, PATH: path, GOBIN: dirname(places.wireguard_go) };
  execFileSync("go", ["install", wireguardGo], { env, stdio: "pipe" });
}

/** Its sources lie beside the repository, or where CULVERT_LIMIT_PROGRAM says. */
function buildLimit(): void {
  const sources = process.env["CULVERT_LIMIT_PROGRAM"] ?? join(root, "../shared/bench/limit");
  const folder = join(target, "peers/limit");
  cpSync(join(sources, "src"), join(folder, "src"), { recursive: true });
  // below native/ it would else be taken for a member of that workspace
  writeFileSync(join(folder, "Cargo.toml"), `${readFileSync(join(sources, "Cargo.toml"), "utf8")}\n[workspace]\n`);
  cargo(["build", "--release", "--target-dir", "target"], folder);
}

function cargo(words: readonly string[], cwd: string): void {
  execFileSync("cargo", [...words], { cwd, stdio: ["ignore", "ignore", "pipe"] });
}
