// Ground for the tests of programs' marks: a cgroup of the test's own, to which alone the marking is attached, and programs
// that are copies of perl (every Debian has it, its copies find their library) and so can do whatever a program does.
import { execFileSync, spawn, type ChildProcessByStdio } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

let made = 0;

/** Below the root of cgroup version 2; whoever is started by `inCgroup` is in it. */
export function makeCgroup(): string {
  const root = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .find((line) => line.includes(" - cgroup2 "))
    ?.split(" ")[4];
  if (root === undefined) throw new Error("there is no cgroup version 2 here");
  const path = join(root, `culvert-test-${readNamespace()}-${++made}`);
  mkdirSync(path);
  return path;
}

/** With its own below it; none may have a process in it by now. */
export function removeCgroup(path: string): void {
  const below = execFileSync("find", [path, "-mindepth", "1", "-depth", "-type", "d"], { encoding: "utf8" });
  for (const folder of below.split("\n").filter(Boolean)) rmdirSync(folder);
  rmdirSync(path);
}

/** A copy of perl under a name of its own. */
export function makeProgram(folder: string, name: string): string {
  const path = join(folder, name);
  copyFileSync("/usr/bin/perl", path);
  return path;
}

/** The words before a command that is to run in a cgroup. */
export function inCgroup(cgroup: string, command: readonly string[]): readonly string[] {
  return ["/bin/sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', cgroup, ...command];
}

export type Kind = "udp4" | "udp6" | "tcp4" | "tcp6" | "raw4" | "raw6" | "icmp4" | "icmp6" | "lite4" | "lite6";

/** AF_*, SOCK_*, IPPROTO_* (255: IPPROTO_RAW, the sender writes the header itself). */
const sockets: Readonly<Record<Kind, readonly [number, number, number]>> = {
  udp4: [2, 2, 0],
  udp6: [10, 2, 0],
  tcp4: [2, 1, 0],
  tcp6: [10, 1, 0],
  raw4: [2, 3, 255],
  raw6: [10, 3, 255],
  icmp4: [2, 2, 1],
  icmp6: [10, 2, 58],
  lite4: [2, 2, 136],
  lite6: [10, 2, 136],
};

/** Perl: `mark KIND` prints the mark (SOL_SOCKET 1, SO_MARK 36) of a socket born on the spot. */
export const perlMark = `$| = 1;
  my %kinds = (${Object.entries(sockets)
    .map(([kind, numbers]) => `${kind} => [${numbers.join()}]`)
    .join()});
  sub mark { my ($s, @k) = (undef, @{$kinds{$_[0]}}); socket($s, $k[0], $k[1], $k[2]) or die "$_[0]: $!"; print unpack("I", getsockopt($s, 1, 36)), "\\n" }
`;

/** What the program finds its sockets marked with, the first of them opened before anything else. */
export function marksOf(cgroup: string, program: string, ...kinds: readonly Kind[]): readonly number[] {
  return run(cgroup, [program, "-e", `${perlMark} mark($_) for @ARGV`, ...kinds]);
}

/** The numbers that a command prints. */
export function run(cgroup: string, command: readonly string[]): readonly number[] {
  const [first = "", ...rest] = inCgroup(cgroup, command);
  const out = execFileSync(first, rest, { encoding: "utf8", timeout: 60_000, stdio: ["ignore", "pipe", "inherit"] });
  return out.split("\n").filter(Boolean).map(Number);
}

const running = new Set<Running>();

/** Whatever `start` started. */
export async function endAll(): Promise<void> {
  for (const one of running) await one.end();
}

export interface Running {
  /** Gives it a line of perl and waits for the line it prints. */
  ask(line: string): Promise<string>;
  /** Resolves when it is gone. */
  end(): Promise<void>;
}

/** A program that goes on running and does what it is told. */
export function start(cgroup: string, program: string): Running {
  const [first = "", ...rest] = inCgroup(cgroup, [
    program,
    "-e",
    `${perlMark} while (<STDIN>) { eval $_; print $@ if $@ }`,
  ]);
  const child: ChildProcessByStdio<Writable, Readable, null> = spawn(first, rest, {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const one: Running = {
    ask: (line) =>
      new Promise((done, failed) => {
        const ended = (): void => {
          failed(new Error("the program has ended"));
        };
        child.once("exit", ended);
        child.stdout.once("data", (chunk: Buffer) => {
          child.off("exit", ended);
          done(chunk.toString().trim());
        });
        child.stdin.write(`${line}\n`);
      }),
    end: () => {
      running.delete(one);
      if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
      return new Promise((done) => {
        child.once("exit", () => {
          done();
        });
        child.kill("SIGKILL");
      });
    },
  };
  running.add(one);
  return one;
}

/** Another run of the tests at the same time has another network namespace. */
function readNamespace(): string {
  return /\d+/.exec(execFileSync("readlink", ["/proc/self/ns/net"], { encoding: "utf8" }))?.[0] ?? "";
}
