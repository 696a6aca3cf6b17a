// The path as lines: machine plate, the uplink as a hatched road, the node, the internet plate. The tunnel goes under the
// road through a culvert (`>==<` is the map sign for one), the direct lane passes over it in plain sight. Laid out anew
// for each width and height, so words keep their size; what does not fit is shortened, what is not so is not drawn.
import type { PathFacts } from "./path-facts.ts";

export type Line =
  | "tunnel"
  | "flow"
  | "casing"
  | "casing-idle"
  | "probe"
  | "direct"
  | "direct-gap"
  | "blocked"
  | "stop"
  | "gate"
  | "idle"
  | "portal"
  | "lead"
  | "kerb";

export type Shape =
  | { readonly kind: "line"; readonly look: Line; readonly d: string }
  | {
      readonly kind: "box";
      readonly look: "road" | "plate";
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    }
  | {
      readonly kind: "stop";
      readonly look: "node" | "node-idle" | "node-dead" | "lan";
      readonly x: number;
      readonly y: number;
    }
  | {
      readonly kind: "text";
      readonly look: "strong" | "plain" | "soft" | "mono";
      readonly x: number;
      readonly y: number;
      readonly anchor: "start" | "middle" | "end";
      readonly text: string;
    };

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly Shape[];
}

export const leastHeight = 256;

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly slim: boolean;
  /** Right edge of the machine, left edge and width of the road, the node, left edge of the internet. */
  readonly machine: number;
  readonly road: number;
  readonly roadWidth: number;
  readonly node: number;
  readonly internet: number;
  readonly top: number;
  readonly tunnel: number;
  readonly direct: number;
  readonly blocked: number;
  readonly roadEnd: number;
  /** Half the height of the tunnel's casing. */
  readonly casing: number;
}

export function pathPicture(facts: PathFacts, width: number, height: number): Picture {
  const at = layOut(facts, width, height);
  const shapes = [
    ...road(facts, at),
    ...plates(facts, at),
    ...direct(facts, at),
    ...blocked(facts, at),
    ...tunnel(facts, at),
    ...portal(facts, at),
    ...node(facts, at),
  ];
  return { width, height: at.height, shapes };
}

function layOut(facts: PathFacts, width: number, height: number): Layout {
  const slim = width < 740;
  // 0 at the least height, 1 at the drawing's own 322, up to 2 in tall windows
  const tall = Math.min(2, Math.max(0, (height - leastHeight) / 66));
  const words = Math.max(
    ...Object.values(facts.lanes).map((name) => textWidth(name, 12.5)),
    slim ? 0 : textWidth(facts.machine, 14),
  );
  const machine = Math.round(Math.min(slim ? 124 : 176, Math.max(slim ? 104 : 138, words + 28)));
  const internet = Math.round(width - Math.max(slim ? 72 : 96, textWidth(facts.internet, 14) + 16));
  const between = internet - machine;
  const direct = 176 + 40 * tall;
  return {
    width,
    height: Math.round(leastHeight + 66 * tall),
    slim,
    machine,
    road: Math.round(machine + between * 0.26),
    roadWidth: slim ? 46 : 54,
    node: Math.round(machine + between * 0.7),
    internet,
    top: Math.round(58 + 8 * Math.min(1, tall)),
    tunnel: Math.round(110 + 20 * tall),
    direct: Math.round(direct),
    blocked: Math.round(236 + 58 * tall),
    roadEnd: Math.round(direct + 24 + 6 * Math.min(1, tall)),
    casing: slim ? 9 : 11,
  };
}

const line = (look: Line, d: string): Shape => ({ kind: "line", look, d });
type TextShape = Extract<Shape, { kind: "text" }>;
const text = (
  look: TextShape["look"],
  x: number,
  y: number,
  words: string,
  anchor: TextShape["anchor"] = "start",
): Shape[] => (words === "" ? [] : [{ kind: "text", look, x, y, anchor, text: words }]);

function road(facts: PathFacts, at: Layout): Shape[] {
  const { uplink, noUplink } = facts;
  const middle = at.road + at.roadWidth / 2;
  if (uplink === null) {
    const words = fit(noUplink, at.internet - at.road - 20, 13);
    return [...text("plain", at.road, at.tunnel + 4, words), ...text("plain", at.road, at.direct + 4, words)];
  }
  const room = (row: "title" | "name" | "detail"): number => topRooms(facts, at)[row].road;
  return [
    { kind: "box", look: "road", x: at.road, y: at.top, width: at.roadWidth, height: at.roadEnd - at.top },
    line("kerb", `M${at.road} ${at.top}V${at.roadEnd}M${at.road + at.roadWidth} ${at.top}V${at.roadEnd}`),
    ...text("strong", middle, 16, fit(uplink.title, room("title"), 14), "middle"),
    ...text("mono", middle, 34, fit(uplink.name, room("name"), 12.2), "middle"),
    ...text("mono", middle, 51, fit(uplink.gateway, room("detail"), 12.2), "middle"),
  ];
}

function plates(facts: PathFacts, at: Layout): Shape[] {
  const title = at.slim ? facts.host || facts.machine : facts.machine;
  const name = (y: number, word: string): Shape[] =>
    text("soft", at.machine - 12, y + 4, fit(word, at.machine - 18, 12.5), "end");
  return [
    { kind: "box", look: "plate", x: 0, y: at.top, width: at.machine, height: at.height - at.top - 2 },
    {
      kind: "box",
      look: "plate",
      x: at.internet,
      y: at.top,
      width: at.width - at.internet,
      height: at.roadEnd - at.top,
    },
    ...text("strong", 12, at.top + 23, fit(title, at.machine - 16, 14)),
    ...(at.slim ? [] : text("soft", 12, at.top + 41, fit(facts.host, at.machine - 16, 12.5))),
    ...text("strong", (at.internet + at.width) / 2, at.top + 23, facts.internet, "middle"),
    ...name(at.tunnel, facts.lanes.tunnel),
    ...name(at.direct, facts.lanes.direct),
    ...name(at.blocked, facts.lanes.block),
  ];
}

function tunnel(facts: PathFacts, at: Layout): Shape[] {
  const y = at.tunnel;
  const beyond = at.road + at.roadWidth + 18;
  if (facts.mode === "off" || facts.mode === "unknown") {
    const end = facts.uplink === null ? at.road - 14 : at.internet;
    const note =
      facts.uplink === null ? [] : text("soft", beyond, y - 12, fit(facts.tunnelNote, at.internet - beyond - 8, 12.5));
    return [line("idle", `M${at.machine} ${y}H${end}`), ...note];
  }
  const c = at.casing;
  const casing = line(
    facts.mode === "on" ? "casing" : "casing-idle",
    `M${at.machine} ${y - c}H${at.node - 8}M${at.machine} ${y + c}H${at.node - 8}`,
  );
  const left = at.road - at.machine - 22;
  if (facts.mode === "connecting") {
    return [
      casing,
      line("probe", `M${at.machine + 4} ${y}H${at.node - 12}`),
      ...(textWidth(facts.tunnelNote, 13) <= left
        ? text("plain", at.machine + 12, y - c - 10, facts.tunnelNote)
        : text("plain", beyond, y + c + 20, fit(facts.tunnelNote, at.internet - beyond - 8, 13))),
    ];
  }
  if (facts.mode === "locked") {
    return [
      ...(facts.uplink === null ? [] : [casing]),
      line("tunnel", `M${at.machine} ${y}H${at.machine + 56}`),
      line("gate", `M${at.machine + 58} ${y - 22}V${y + 22}`),
      ...text("plain", beyond, y + c + 20, fit(facts.tunnelNote, at.internet - beyond - 8, 13)),
    ];
  }
  const right = (at.node + at.internet) / 2 + 4;
  const rates = facts.rates.find((one) => textWidth(one, 13) <= left) ?? "";
  return [
    casing,
    line("tunnel", `M${at.machine} ${y}H${at.internet}`),
    line("flow", `M${at.machine + 4} ${y}H${at.internet - 4}`),
    ...text("plain", at.machine + 12, y - c - 10, rates),
    // half an address is none
    ...text("mono", at.machine + 12, y + c + 19, whole(facts.inside, left, 12.2)),
    ...text("soft", right, y - c - 10, whole(facts.seen?.label ?? "", at.internet - at.node - 24, 12.5), "middle"),
    ...seenAs(facts.seen?.address ?? "", at),
  ];
}

/** In the middle between node and internet where it has the room, else with its end at the internet, below the line. */
function seenAs(address: string, at: Layout): Shape[] {
  const y = at.tunnel + at.casing + 19;
  if (textWidth(address, 12.2) <= at.internet - at.node - 12)
    return text("mono", (at.node + at.internet) / 2 + 4, y, address, "middle");
  const room = at.internet - at.road - at.roadWidth - 18;
  return text("mono", at.internet - 6, y, fit(address, room, 12.2), "end");
}

/** The culvert's two mouths; drawn where the tunnel has a way under the road. */
function portal(facts: PathFacts, at: Layout): Shape[] {
  if (facts.uplink === null || facts.mode === "off" || facts.mode === "unknown") return [];
  const c = at.casing;
  const mouth = (x: number, out: number): string =>
    `M${x + out * 10} ${at.tunnel - c - 16}L${x} ${at.tunnel - c - 6}V${at.tunnel + c + 6}L${x + out * 10} ${at.tunnel + c + 16}`;
  return [line("portal", mouth(at.road, -1) + mouth(at.road + at.roadWidth, 1))];
}

function node(facts: PathFacts, at: Layout): Shape[] {
  if (facts.node === null || facts.uplink === null) return [];
  const look = facts.mode === "on" ? "node" : facts.mode === "locked" ? "node-dead" : "node-idle";
  const room = (row: "title" | "name" | "detail"): number => topRooms(facts, at)[row].node;
  return [
    ...text("soft", at.node, 16, fit(facts.node.title, room("title"), 12.5), "middle"),
    ...text("strong", at.node, 35, fit(facts.node.name, room("name"), 14), "middle"),
    ...text("soft", at.node, 52, fit(facts.node.detail, room("detail"), 12.5), "middle"),
    line("lead", `M${at.node} 60V${at.tunnel - at.casing - 6}`),
    { kind: "stop", look, x: at.node, y: at.tunnel },
  ];
}

interface Rooms {
  readonly road: number;
  readonly node: number;
}

/** Above the road and above the node stand centred words side by side: the shorter has its width, the longer what is left. */
function topRooms({ uplink, node: to }: PathFacts, at: Layout): Readonly<Record<"title" | "name" | "detail", Rooms>> {
  const middle = at.road + at.roadWidth / 2;
  const most = { road: at.slim ? 150 : 190, node: 2 * Math.min(at.width - at.node, 190) };
  const row = (left: number, right: number): Rooms => {
    const both = 2 * (at.node - middle - 8);
    if (left + right <= both) return { road: left, node: right };
    const least = Math.min(left, right, both / 2);
    return left <= right ? { road: least, node: both - least } : { road: both - least, node: least };
  };
  if (to === null) return { title: { ...most }, name: { ...most }, detail: { ...most } };
  const wide = (words: string | undefined, size: number, limit: number): number =>
    Math.min(limit, textWidth(words ?? "", size));
  const rowOf = (above: string | undefined, size: number, beside: string, other: number): Rooms =>
    row(wide(above, size, most.road), wide(beside, other, most.node));
  return {
    title: rowOf(uplink?.title, 14, to.title, 12.5),
    name: rowOf(uplink?.name, 12.2, to.name, 14),
    detail: rowOf(uplink?.gateway, 12.2, to.detail, 12.5),
  };
}

function direct({ direct: lane, uplink }: PathFacts, at: Layout): Shape[] {
  const y = at.direct;
  const beyond = at.road + at.roadWidth + 18;
  const room = at.internet - beyond - 8;
  if (lane.kind === "none" || lane.kind === "held") {
    if (lane.kind === "held") {
      const words = text("soft", beyond, y + 4, fit(lane.label, room, 12.5));
      return [...rails(at.machine, at.machine + 54, y), stopAt(at.machine + 58, y), ...words];
    }
    if (lane.label === "") return [line("idle", `M${at.machine} ${y}H${at.road - 14}`)];
    return text("soft", at.machine + 12, y + 4, fit(lane.label, at.road - at.machine - 20, 12.5));
  }
  if (uplink === null) return [...rails(at.machine, at.machine + 54, y), stopAt(at.machine + 58, y)];
  const middle = at.road + at.roadWidth / 2;
  const lanStop: Shape[] =
    lane.lan === ""
      ? []
      : [
          { kind: "stop", look: "lan", x: middle, y },
          ...text(
            "soft",
            middle,
            at.roadEnd + (at.slim ? 14 : 17),
            fit(lane.lan, at.road - at.machine + at.roadWidth, 12.5),
            "middle",
          ),
        ];
  if (lane.kind === "lan") return [...rails(at.machine, middle, y), ...lanStop];
  return [
    ...rails(at.machine, at.internet, y),
    ...lanStop,
    ...text("plain", beyond, y - 13, fit(lane.label, room, 13)),
    ...text("soft", beyond, y + 22, fit(lane.below, room, 12.5)),
  ];
}

function rails(from: number, to: number, y: number): Shape[] {
  return [line("direct", `M${from} ${y}H${to}`), line("direct-gap", `M${from} ${y}H${to}`)];
}

function stopAt(x: number, y: number): Shape {
  return line("stop", `M${x} ${y - 12}V${y + 12}`);
}

function blocked({ blocked: lane }: PathFacts, at: Layout): Shape[] {
  const y = at.blocked;
  if (lane.resting) return text("soft", at.machine + 12, y + 4.5, fit(lane.text, at.width - at.machine - 20, 12.5));
  return [
    line("blocked", `M${at.machine} ${y}H${at.machine + 54}`),
    stopAt(at.machine + 58, y),
    ...text("soft", at.machine + 74, y + 4.5, fit(lane.text, at.width - at.machine - 80, 12.5)),
  ];
}

/** Estimated from DejaVu Sans, the widest of the fonts that desktops fall back to; Han letters are square. */
export function textWidth(words: string, size: number): number {
  let em = 0;
  for (const letter of words) em += /[\u2e80-\uffef]/.test(letter) ? 1 : /[il.,:;' ]/.test(letter) ? 0.36 : 0.6;
  return em * size;
}

/** Nothing rather than a part. */
const whole = (words: string, room: number, size: number): string => (textWidth(words, size) <= room ? words : "");

/** Shortened at the end where it would be wider than `room`. */
export function fit(words: string, room: number, size: number): string {
  if (textWidth(words, size) <= room) return words;
  let kept = words;
  while (kept !== "" && textWidth(`${kept}…`, size) > room) kept = kept.slice(0, -1);
  return kept === "" ? "" : `${kept.trimEnd()}…`;
}
