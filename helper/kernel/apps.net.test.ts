// Needs root (a user namespace may not attach to cgroups), cgroup version 2, and a network namespace of its own. Marking
// is attached to a cgroup of the test's own; what is attached to exec and fork fills maps of ours and touches nobody.
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { App } from "../contract/policy.ts";
import type { PlanApps } from "../plan/plan.ts";
import { assertApart, makeUplink, removeUplink, until } from "./apart.ts";
import {
  type Kind,
  endAll,
  inCgroup,
  makeCgroup,
  makeProgram,
  marksOf,
  perlMark,
  removeCgroup,
  run,
  start,
} from "./app-ground.ts";
import { type AppMarker, openApps } from "./apps.ts";
import { loadNative } from "./native.ts";

const native = loadNative();
const kinds: readonly Kind[] = ["udp4", "udp6", "tcp4", "tcp6", "raw4", "raw6", "icmp4", "icmp6", "lite4", "lite6"];
const [one, two] = [0xd000_0000, 0xd100_0000];

let folder: string;
let cgroup: string;
let named: string;
let other: string;
let apps: AppMarker;
let replaced = 0;
let wired = false;

beforeAll(() => {
  assertApart();
  // ICMP datagram sockets are for these groups only
  writeFileSync("/proc/sys/net/ipv4/ping_group_range", "0 65535");
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "culvert-apps-"));
  cgroup = makeCgroup();
  named = makeProgram(folder, "named");
  other = makeProgram(folder, "other");
  apps = open();
  expect(apps.how).toBe("bpf");
});
afterEach(async () => {
  await endAll();
  if (wired) removeUplink();
  wired = false;
  apps.clear([]);
  apps.close();
  removeCgroup(cgroup);
  rmSync(folder, { recursive: true });
});
afterAll(() => {
  // nothing of ours hangs anywhere by now
  expect(native.appMarksClear("/sys/fs/bpf")).toBe(false);
});

describe("a program that policy names", () => {
  test("has every kind of its sockets marked, the very first of a fresh process, in both families", () => {
    apps.set(programs(named), []);
    for (const kind of kinds) expect(marksOf(cgroup, named, kind), kind).toEqual([one]);
    expect(marksOf(cgroup, other, ...kinds)).toEqual(kinds.map(() => 0));
  });

  test("is caught at each of 1,000 starts", () => {
    apps.set(programs(named), []);
    const starts = `my @c = ('named', '-e', $ARGV[1], 'udp4'); for (1..1000) { system {$ARGV[0]} @c }`;
    const found = run(cgroup, [other, "-e", starts, named, `${perlMark} mark($_) for @ARGV`]);
    expect(found.length).toBe(1000);
    expect(found.filter((mark) => mark !== one)).toEqual([]);
  });

  test("is caught by a link, another name of the same file, a relative path and execveat's descriptor", () => {
    apps.set(programs(named), []);
    symlinkSync(named, join(folder, "link"));
    execFileSync("ln", [named, join(folder, "hard")]);
    expect(marksOf(cgroup, join(folder, "link"), "udp4")).toEqual([one]);
    expect(marksOf(cgroup, join(folder, "hard"), "udp4")).toEqual([one]);
    const code = `${perlMark} mark('udp4')`;
    expect(run(cgroup, ["/bin/sh", "-c", 'cd "$1" && ./named -e "$2"', "sh", folder, code])).toEqual([one]);
    expect(run(cgroup, ["/bin/sh", "-c", 'exec 9<"$1"; exec /proc/self/fd/9 -e "$2"', "sh", named, code])).toEqual([
      one,
    ]);
  });

  test("keeps its class in its forks, double forks, sessions, threads of children and in what it runs", () => {
    apps.set(programs(named), []);
    const lineage = {
      fork: `if (!fork) { mark('udp4'); exit } wait`,
      "double fork": `if (!fork) { if (!fork) { mark('udp4') } else { wait } exit } wait`,
      orphan: `pipe(my $r, my $w); if (!fork) { if (!fork) { close $r; select undef, undef, undef, 0.2; mark('udp4') } exit } close $w; wait; <$r>`,
      setsid: `use POSIX; if (!fork) { POSIX::setsid(); mark('udp4'); exit } wait`,
      exec: `exec {$ARGV[0]} 'other', '-e', $ARGV[1]`,
      shell: `system('/bin/sh', '-c', '"$0" -e "$1"', $ARGV[0], $ARGV[1])`,
    };
    for (const [how, code] of Object.entries(lineage))
      expect(run(cgroup, [named, "-e", `${perlMark} ${code}`, other, `${perlMark} mark('udp4')`]), how).toEqual([one]);
  });

  test("yields to a nearer one that policy also names, and to nobody who merely stands beside", () => {
    apps.set(programs(named, other), []);
    const inner = `${perlMark} mark('udp4')`;
    const outer = `${perlMark} mark('udp4'); system {$ARGV[0]} 'x', '-e', $ARGV[1]; mark('udp4')`;
    expect(run(cgroup, [named, "-e", outer, other, inner])).toEqual([one, two, one]);
    expect(run(cgroup, ["/usr/bin/perl", "-e", outer, named, inner])).toEqual([0, one, 0]);
  });

  test("may be a script, by the path it is called by, also where its interpreter is named otherwise", () => {
    const script = join(folder, "script");
    writeFileSync(script, `#!${other}\n${perlMark} mark('udp4')\n`, { mode: 0o755 });
    apps.set(programs(script), []);
    expect(run(cgroup, [script])).toEqual([one]);
    expect(marksOf(cgroup, other, "udp4")).toEqual([0]);
    apps.set(programs(script, other), []);
    expect(run(cgroup, [script])).toEqual([one]);
    expect(marksOf(cgroup, other, "udp4")).toEqual([two]);
  });

  test("is caught as soon as it is installed, and after an upgrade by its new file", async () => {
    const late = join(folder, "late");
    apps.set(programs(late), []);
    expect(apps.standing().apps).toMatchObject([{ by: "path", mark: one }]);
    copyFileSync(named, late);
    expect(marksOf(cgroup, late, "udp4")).toEqual([one]);
    await until(() => replaced > 0);
    apps.set(programs(late), []);
    expect(apps.standing().apps).toMatchObject([{ by: "file", mark: one }]);
    const before = replaced;
    copyFileSync(named, `${late}.new`);
    renameSync(`${late}.new`, late);
    await until(() => replaced > before);
    apps.set(programs(late), []);
    symlinkSync(late, join(folder, "link"));
    expect(marksOf(cgroup, join(folder, "link"), "udp4")).toEqual([one]);
  });

  test("runs already: its next socket is marked, its child's too, and the older ones can be closed", async () => {
    wire();
    const program = start(cgroup, named);
    const opened = `use Socket; socket(our $udp, 2, 2, 0); connect($udp, pack_sockaddr_in(9, inet_aton('192.0.2.1'))); print "ok\\n"`;
    expect(await program.ask(opened)).toBe("ok");
    apps.set(programs(named), []);
    expect(await program.ask("mark('udp4')")).toBe(String(one));
    expect(await program.ask("if (!fork) { mark('tcp6'); exit } wait")).toBe(String(one));
    // it answers once its child is gone
    expect(await program.ask('print "ok\\n"')).toBe("ok");
    expect(apps.standing().apps).toMatchObject([{ processes: 1, older: 1 }]);
    expect(apps.reopen([{ kind: "executable", path: other }])).toBe(0);
    expect(apps.reopen(null)).toBe(1);
    // EDESTADDRREQ: it is connected to nobody any more
    expect(await program.ask(`print defined(send($udp, 'x', 0)) ? "sent\\n" : ($! + 0) . "\\n"`)).toBe("89");
  });

  test("keeps its mark while policies change round it", async () => {
    const program = start(cgroup, named);
    apps.set(programs(other, named), []);
    expect(await program.ask("mark('udp4')")).toBe(String(two));
    apps.set(programs(named), []);
    expect(await program.ask("mark('udp4')")).toBe(String(one));
    apps.set(programs(other), []);
    expect(await program.ask("mark('udp4')")).toBe("0");
  });
});

describe("a program by where it lives", () => {
  const places: readonly (readonly [App, string, string])[] = [
    [{ kind: "unit", name: "culvert-test" }, "culvert-test.service", "culvert-test2.service"],
    [{ kind: "unit", name: "culvert-test@.service" }, "culvert-test@a.service", "culvert-test.service"],
    [
      { kind: "flatpak", id: "org.example.A-b" },
      "app-flatpak-org.example.A\\x2db-42.scope",
      "app-flatpak-org.example.A-42.scope",
    ],
    [{ kind: "snap", name: "chat" }, "snap.chat.chat-5d4e.scope", "snap.chatter.chatter-5d4e.scope"],
  ];
  test.each(places)("%o lives in %s, before and after it is named, and not in %s", (app, name, beside) => {
    const [old, fresh] = [join(cgroup, "old.slice"), join(cgroup, "fresh.slice")];
    const child = join(old, name, "deeper");
    mkdirSync(child, { recursive: true });
    apps.set({ programs: [], places: [{ app, class: 1 }], marks: [[0, one]] }, []);
    mkdirSync(join(fresh, name), { recursive: true });
    mkdirSync(join(fresh, beside));
    expect(marksOf(child, other, "udp4")).toEqual([one]);
    expect(marksOf(join(fresh, name), other, "udp6")).toEqual([one]);
    expect(marksOf(join(fresh, beside), other, "udp4")).toEqual([0]);
    apps.set(programs(named), []);
    expect(marksOf(child, other, "udp4")).toEqual([0]);
  });

  test("has the mark of both where a named program runs in a named place", () => {
    const unit: App = { kind: "unit", name: "culvert-test" };
    mkdirSync(join(cgroup, "culvert-test.service"));
    const programs = [{ app: { kind: "executable", path: named } as const, class: 1 }];
    apps.set(
      {
        programs,
        places: [{ app: unit, class: 1 }],
        marks: [
          [0, one],
          [two, 0xd200_0000],
        ],
      },
      [],
    );
    expect(marksOf(cgroup, named, "udp4")).toEqual([two]);
    expect(marksOf(join(cgroup, "culvert-test.service"), named, "udp4")).toEqual([0xd200_0000]);
    expect(marksOf(join(cgroup, "culvert-test.service"), other, "udp4")).toEqual([one]);
  });
});

describe("the marking", () => {
  test("goes on without a helper, a later life takes it over, and taking it away leaves nothing", () => {
    const commands: string[] = [];
    apps.set(programs(named), commands);
    expect(commands).toEqual([`sockets of ${named}: mark 0xd0000000`]);
    apps.close();
    expect(marksOf(cgroup, named, "udp4")).toEqual([one]);
    apps = open();
    commands.length = 0;
    apps.set(programs(named), commands);
    expect(commands).toEqual([]);
    expect(existsSync(join(folder, "bpf"))).toBe(true);
    apps.clear(commands);
    expect(commands).toEqual(["sockets of programs: no mark"]);
    expect(existsSync(join(folder, "bpf"))).toBe(false);
    expect(marksOf(cgroup, named, "udp4")).toEqual([0]);
  });

  test("remembers until the next boot whose a mark was, and ends sockets whose mark goes to another", async () => {
    wire();
    apps.set(programs(named), []);
    const program = start(cgroup, named);
    const opened = `use Socket; socket(our $udp, 2, 2, 0); connect($udp, pack_sockaddr_in(9, inet_aton('192.0.2.1'))); print "ok\\n"`;
    expect(await program.ask(opened)).toBe("ok");
    apps.clear([]);
    apps.close();
    apps = open();
    expect(apps.held().map(({ mark, makers }) => [mark, makers.includes(named)])).toEqual([[one, true]]);
    apps.set({ ...programs(named), marks: [[0], [two]] }, []);
    expect(await program.ask(`print defined(send($udp, 'x', 0)) ? "sent\\n" : "ended\\n"`)).toBe("sent");
    apps.set(programs(other), []);
    expect(await program.ask(`print defined(send($udp, 'x', 0)) ? "sent\\n" : "ended\\n"`)).toBe("ended");
    expect(apps.held()).toHaveLength(2);
  });

  test("is put back whole where somebody took a part of it away", () => {
    apps.set(programs(named), []);
    execFileSync("/bin/sh", ["-c", 'rm "$0"/bpf/culvert/*/*/link-fork', folder]);
    apps.set(programs(named), []);
    const fork = `${perlMark} if (!fork) { mark('udp4'); exit } wait`;
    expect(run(cgroup, [named, "-e", fork])).toEqual([one]);
  });

  test("leaves bits of others and sockets of other network namespaces alone", () => {
    apps.set(programs(named), []);
    const code = `${perlMark} mark('udp4')`;
    expect(run(cgroup, ["unshare", "--net", named, "-e", code])).toEqual([0]);
  });

  test("needs no more rights than the unit gives", () => {
    const unit = execFileSync("sed", ["-n", "s/^CapabilityBoundingSet=//p", "assets/culvert.service"], {
      encoding: "utf8",
    });
    const caps = unit
      .trim()
      .split(/\s+/)
      .map((cap) => `+${cap.replace(/^CAP_/, "").toLowerCase()}`);
    const code = `
      import { loadNative } from "./helper/kernel/native.ts";
      const options = { cgroup: process.argv[1], bpffs: process.argv[2], mask: 0xff000000 };
      const native = loadNative();
      native.appMarksProbe(options);
      native.appMarksOpen(options).apply({ programs: [], paths: [], places: [], marks: [] });
      process.stdout.write(String(native.appMarksClear(process.argv[2])));`;
    const bpffs = join(folder, "machine");
    native.bpfMount(bpffs);
    const set = `--bounding-set=-all,${caps.join()}`;
    const argv = inCgroup(cgroup, ["setpriv", set, "--inh-caps=-all", "--no-new-privs", process.execPath]);
    const [first = "", ...rest] = argv.concat("--input-type=module-typescript", "-e", code, cgroup, bpffs);
    try {
      expect(execFileSync(first, rest, { encoding: "utf8" })).toBe("true");
    } finally {
      native.bpfUnmount(bpffs);
    }
  });
});

function wire(): void {
  makeUplink();
  wired = true;
}

function open(): AppMarker {
  return openApps({
    ...{ native, runDir: folder, cgroup },
    replaced: () => {
      replaced += 1;
    },
  });
}

function programs(...paths: readonly string[]): PlanApps {
  return {
    programs: paths.map((path, i) => ({ app: { kind: "executable", path }, class: i + 1 })),
    places: [],
    marks: [[0], ...paths.map((_, i) => [one + i * (two - one)])],
  };
}
