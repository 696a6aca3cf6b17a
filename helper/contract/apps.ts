// How the programs that policy names are recognised on this machine, and what that cannot cover.
import { z } from "zod";

import { appSchema } from "./policy.ts";

/**
 * What no recognising covers, said to the user before he finds out. unsupported: this kernel cannot mark sockets of
 * programs; script-path: a script is known by the path it is called by, not by its file; handed-over: a socket that another
 * made and handed over is its maker's; started-for: who has a service start something gives it nothing of his own;
 * kernel-sockets: the kernel's own (MPTCP, NFS) belong to nobody; shared-resolver: names are asked for all programs alike
 * (nss-resolve, nscd, or a kernel that cannot lead queries elsewhere);
 * datagrams: a datagram socket can be used again after it was closed for its program; room: processes there was no room for.
 */
export const appLimits = [
  "unsupported",
  "script-path",
  "handed-over",
  "started-for",
  "kernel-sockets",
  "shared-resolver",
  "datagrams",
  "room",
] as const;

export const appHeldSchema = z.strictObject({
  app: appSchema,
  /** file: however it is called; path: it is not installed yet; no-entry: there is no such desktop entry; interpreter:
   * its entry starts a shell or interpreter, which runs much else. */
  by: z.enum(["file", "path", "cgroup", "no-entry", "interpreter"]),
  /** null: not counted. */
  processes: z.int().min(0).nullable(),
  /** Sockets it opened before it was named: they go by the lane of what no rule names. */
  older: z.int().min(0),
});

/** Of the policy that stands; none while nothing is applied. */
export const appsSchema = z.strictObject({
  mechanism: z.enum(["bpf", "cgroup", "none"]),
  limits: z.array(z.enum(appLimits)),
  apps: z.array(appHeldSchema),
});

export type AppLimit = (typeof appLimits)[number];
export type AppHeld = z.infer<typeof appHeldSchema>;
export type Apps = z.infer<typeof appsSchema>;
