// "Keep my way in": sessions from afar that a policy would end. The answers of such a session leave by the uplink if policy
// welcomes its caller, if he is in the local network, or if the first rule that matches the answers sends them direct;
// anything else goes into the tunnel with the outside address, and is dropped there.
import type { Address } from "../contract/prefix.ts";
import { covers, hostPrefix } from "../contract/prefix.ts";
import type { PortRange, Welcome } from "../contract/policy.ts";
import type { SessionFact } from "../plan/facts.ts";
import { families, groundOf } from "./ground.ts";
import type { Ground, Request } from "./ground.ts";
import type { LaneSet } from "./lanes.ts";
import { has } from "./prefix-set.ts";
import { hasService } from "./selection.ts";
import { takesUp } from "./sysctls.ts";

/** tracked: a gate stands, and conntrack knows every connection of now. */
export function cutSessions(
  request: Request,
  sessions: readonly SessionFact[],
  tracked: boolean,
): readonly SessionFact[] {
  const ground = groundOf(request);
  const known = tracked || takesUp(request.policy);
  return sessions.filter((session) => !staysUp(ground, session, known));
}

/** What keeps a session, and nobody else. */
export function welcomeOf({ from, port }: Pick<SessionFact, "from" | "port">): Welcome {
  return { protocol: "tcp", port, from: [hostPrefix(from)] };
}

function staysUp(ground: Ground, session: SessionFact, known: boolean): boolean {
  const { from, at, port } = session;
  // it came through the tunnel, or from a container: its answers go where they came from
  if (families.some((f) => ground.inside[f].includes(hostPrefix(at)))) return true;
  if (from.includes(":") && ground.policy.ipv6 === "block") return false;
  if (isWelcome(ground, from, port)) return known;
  const asked = ground.lanes.filter((set) => isAsked(set, session));
  const host = hostPrefix(from);
  const lan = ground.lan.some((l) => covers(l.prefix, from));
  const first = asked.find((set) => has(lan ? set.near : set.prefixes, host))?.lane;
  if ((first ?? (lan ? "direct" : ground.otherwise)) !== "direct") return false;
  // in the other mode, and from the local network, nobody asks for conntrack's view
  return lan || known || ground.policy.mode === "only";
}

function isWelcome({ policy, links }: Ground, from: Address, port: number): boolean {
  const reached = links.some((link) => !link.inner && link.sources.length > 0);
  return policy.welcome.some(
    (w) =>
      reached &&
      w.protocol === "tcp" &&
      w.port === port &&
      (w.from.length === 0 || w.from.some((p) => covers(p, from))),
  );
}

/** Its answers are root's (sshd opens its sockets as root), to the caller's own port; no program's mark is on them. */
function isAsked({ selection }: LaneSet, { at, fromPort }: SessionFact): boolean {
  const { sources, users, marks } = selection;
  const root = users === null || users.some((range: PortRange) => range.from === 0);
  const here = sources === null || has(sources, hostPrefix(at));
  return root && here && marks === null && hasService(selection, 6, fromPort);
}
