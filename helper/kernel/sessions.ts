// Who works on this machine from afar: connections of remote shells and desktops that stand, read from /proc. A connection
// is one when a process that serves such sessions holds its socket; where it listens does not matter (systemd may listen
// for it), nor on which port.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

import { type Address, parseAddress } from "../contract/prefix.ts";
import type { SessionFact } from "../plan/facts.ts";

/** Names of processes (/proc/PID/comm, 15 characters): OpenSSH (sshd-session since 9.8), Dropbear, xrdp, VNC, RDP, mosh. */
const servers =
  /^(sshd|sshd-session|sshd-auth|dropbear|xrdp|Xvnc|x11vnc|x0vncserver|gnome-remote-de|krdpserver|telnetd|in\.telnetd)$/;

/** net/tcp_states.h */
const established = 1;

export interface Connection {
  readonly from: Address;
  readonly fromPort: number;
  readonly at: Address;
  readonly port: number;
  readonly inode: string;
}

export function readSessions(proc = "/proc"): readonly SessionFact[] {
  const inodes = new Set(pidsOf(proc).flatMap((pid) => socketsOf(join(proc, pid))));
  if (inodes.size === 0) return [];
  const all = ["tcp", "tcp6"].flatMap((name) => parseConnections(textOf(join(proc, "self", "net", name))));
  return all
    .filter((c) => inodes.has(c.inode) && !c.from.startsWith("127.") && c.from !== "::1")
    .map(({ from, fromPort, at, port }) => ({ from, fromPort, at, port }));
}

/** /proc/net/tcp and tcp6 (proc_net_tcp.rst): those that stand. */
export function parseConnections(text: string): readonly Connection[] {
  return text.split("\n").flatMap((line): Connection[] => {
    const [, local = "", remote = "", state = "", , , , , , inode = ""] = line.trim().split(/\s+/);
    if (parseInt(state, 16) !== established) return [];
    const [here, there] = [endOf(local), endOf(remote)];
    if (here === undefined || there === undefined) return [];
    return [{ from: there.address, fromPort: there.port, at: here.address, port: here.port, inode }];
  });
}

/** Each word of an address is printed as the machine holds it, and the machines we run on hold the low byte first. */
function endOf(text: string): { readonly address: Address; readonly port: number } | undefined {
  const [hex = "", port = ""] = text.toLowerCase().split(":");
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  const groups = Array.from({ length: bytes.length / 2 }, (_, i) => `${bytes[2 * i]}${bytes[2 * i + 1]}`);
  const dotted = bytes.slice(-4).map((byte) => String(parseInt(byte, 16)));
  const mapped = bytes.length === 16 && groups.slice(0, 6).join() === "0000,0000,0000,0000,0000,ffff";
  const address = parseAddress(bytes.length === 4 || mapped ? dotted.join(".") : groups.join(":"));
  return address === undefined ? undefined : { address, port: parseInt(port, 16) };
}

function pidsOf(proc: string): readonly string[] {
  return readdirSync(proc).filter((pid) => /^\d+$/.test(pid) && servers.test(textOf(join(proc, pid, "comm")).trim()));
}

function socketsOf(folder: string): readonly string[] {
  try {
    return readdirSync(join(folder, "fd")).flatMap((fd) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(join(folder, "fd", fd)))?.[1];
      return inode === undefined ? [] : [inode];
    });
  } catch {
    // it ended meanwhile
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // a process that ended meanwhile, or a kernel without IPv6
    return "";
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}
