// Where the nodes stand: land from Natural Earth 1:110m (by way of world-atlas) in Equal Earth, drawn with level lines;
// no borders, no names. A node without a place is not drawn. The machine is not drawn: nobody told where it is.
import { geoEqualEarth, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import type { Topology } from "topojson-specification";
import land from "world-atlas/land-110m.json";

import type { Node } from "../../helper/contract/node.ts";
import { useWord } from "../hooks.ts";
import { answersNot } from "../view/nodes.ts";
import s from "./NodeMap.module.css";

const width = 560;
const height = 270;
const topology = land as unknown as Topology;
const shape = topology.objects["land"];
const projection = geoEqualEarth().fitSize([width, height], { type: "Sphere" });
/** Without the ice of the south, where no node stands. */
const view = "30 4 510 212";
const outline = shape === undefined ? "" : (geoPath(projection)(feature(topology, shape)) ?? "");

interface Props {
  readonly nodes: readonly Node[];
  readonly picked: string | null;
  readonly current: string | null;
}

export function NodeMap({ nodes, picked, current }: Props) {
  const word = useWord();
  const placed = nodes.flatMap((node) => {
    if (node.latitude === null || node.longitude === null) return [];
    const at = projection([node.longitude, node.latitude]);
    return at === null ? [] : [{ node, x: at[0], y: at[1] }];
  });
  // the one picked is drawn last, over its neighbours
  placed.sort((a, b) => Number(a.node.id === picked) - Number(b.node.id === picked));
  return (
    <svg className={s.map} viewBox={view} role="img" aria-label={word("nodes.map")}>
      <defs>
        <pattern id="levels" width="6" height="6" patternUnits="userSpaceOnUse">
          <path d="M0 1H6" className={s.level} />
        </pattern>
      </defs>
      <path d={outline} fill="url(#levels)" />
      {placed.map(({ node, x, y }) =>
        node.ping !== null && answersNot(node.ping) ? (
          <path key={node.id} className={s.silent} d={`M${x - 6} ${y - 6}l12 12M${x + 6} ${y - 6}l-12 12`} />
        ) : (
          <circle
            key={node.id}
            className={node.id === current ? s.current : node.id === picked ? s.picked : s.node}
            cx={x}
            cy={y}
            r={node.id === picked || node.id === current ? 9 : 6}
          />
        ),
      )}
    </svg>
  );
}
